"""Forward pass of a training step in bfloat16."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from monai.data import MetaTensor
from monai.inferers import SimpleInferer
from torch import Tensor


class AutocastInferer(SimpleInferer):
    """One forward pass, under bfloat16 autocast if ``enabled``, on channels-last tensors without metadata.

    MONAI's ``amp=True`` autocasts only on CUDA, and to float16, in which U-Nets without normalisation overflow.

    Example:
        >>> logits = AutocastInferer(enabled=True)(torch.zeros(1, 1, 6, 8), torch.nn.Conv2d(1, 2, 3))
        >>> logits.shape, logits.dtype
        (torch.Size([1, 2, 4, 6]), torch.bfloat16)
    """

    def __init__(self, enabled: bool) -> None:
        super().__init__()
        self.enabled = enabled

    def __call__(self, inputs: Tensor, network: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Tensor:
        """Logits (B, C, H', W') of images (B, C, H, W)."""
        plain = inputs.as_tensor() if isinstance(inputs, MetaTensor) else inputs
        with torch.autocast(plain.device.type, torch.bfloat16, enabled=self.enabled):
            return network(plain.contiguous(memory_format=torch.channels_last), *args, **kwargs)
