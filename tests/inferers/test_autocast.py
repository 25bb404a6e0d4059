"""Forward pass of a training step: precision and gradients."""

from __future__ import annotations

import pytest
import torch
from monai.data import MetaTensor

from custom.inferers import AutocastInferer
from custom.networks import ValidUNet


@pytest.mark.parametrize("enabled", [False, True])
def test_precision_follows_the_switch_and_gradients_are_float32(enabled):
    torch.manual_seed(0)
    network = ValidUNet(features=4, depth=2, dropout=0.0)
    image = MetaTensor(torch.rand(2, 1, 52, 60))
    logits = AutocastInferer(enabled)(image, network)
    assert logits.dtype == (torch.bfloat16 if enabled else torch.float32)
    assert not isinstance(logits, MetaTensor)
    expected = network(image.as_tensor())
    torch.testing.assert_close(
        logits.float(), expected, rtol=0, atol=0.05 * expected.abs().max().item() if enabled else 0
    )
    logits.float().square().mean().backward()
    assert all(p.grad is not None and p.grad.dtype == torch.float32 for p in network.parameters())
