"""The definition that tiled inference is held to: one pass over the whole mirrored image."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from custom.networks.valid_unet import ValidUNet


def random_network(depth: int = 2, up: str = "transposed", features: int = 4) -> ValidUNet:
    """A small network of two input channels and three classes, with random biases too; logits up to about 1."""
    torch.manual_seed(depth)
    network = ValidUNet(in_channels=2, out_channels=3, features=features, depth=depth, up=up).eval()
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter, std=0.1)
    with torch.no_grad():
        size = network.next_admissible(2 * network.margin + 30)
        scale = network(torch.rand(1, 2, size, size)).abs().max()
        network.classify.weight /= scale
        network.classify.bias /= scale
    return network


def random_images(height: int, width: int, count: int = 1) -> Tensor:
    return torch.rand((count, 2, height, width), generator=torch.Generator().manual_seed(height * 1000 + width))


def mirrored(network: Any, images: Tensor) -> Tensor:
    """The whole images with mirrored surroundings, of the smallest size that the network takes."""
    border = network.margin + network.halo
    pads = [(border, network.next_admissible(size + 2 * border) - size - border) for size in images.shape[-2:]]
    return torch.from_numpy(np.pad(images.numpy(), [(0, 0), (0, 0), *pads], mode="reflect"))


@torch.no_grad()
def one_pass(network: Any, images: Tensor) -> Tensor:
    """Logits of the whole images from one pass, in float32."""
    height, width = images.shape[-2:]
    halo = network.halo
    return network(mirrored(network, images))[..., halo : halo + height, halo : halo + width]


def tile(network: ValidUNet, kept: int) -> int:
    """Input size of a tile that keeps at least `kept` pixels."""
    return network.next_admissible(kept + 2 * (network.margin + network.halo))


def assert_same(logits: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(logits, expected, atol=1e-5, rtol=0)
