"""Alternatives for the segmentation of a large image by a U-Net of the same width and depth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from monai.inferers import SlidingWindowInferer
from monai.networks.nets import BasicUNet
from torch import Tensor, nn

from custom.data import mirror_window
from custom.networks import ValidUNet

TILE, OUTPUT = 572, 388


class SamePaddingUNet(ValidUNet):
    """The same layers with zero padding, as in most U-Nets: the output is as large as the input."""

    def __init__(self, features: int) -> None:
        super().__init__(features=features)
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3):
                module.padding = (1, 1)

    def _check_input(self, x: Tensor) -> None:
        """Any multiple of the divisor is admissible."""


def basic_unet(features: int) -> BasicUNet:
    """MONAI's U-Net with the same width and depth."""
    widths = [features * 2**level for level in range(5)]
    return BasicUNet(spatial_dims=2, in_channels=1, out_channels=2, features=(*widths, features))


def sliding(network: nn.Module, image: Tensor, roi: int, dtype: torch.dtype) -> Any:
    """MONAI's sliding window with the settings of its microscopy examples: overlap 0.25, Gaussian blending."""
    inferer = SlidingWindowInferer(roi, sw_batch_size=1, overlap=0.25, mode="gaussian")
    with torch.no_grad(), torch.autocast(image.device.type, dtype, enabled=dtype == torch.bfloat16):
        return inferer(image, network)


def mirrored(image: Tensor, before: int, size: tuple[int, int]) -> Tensor:
    """The image (1, C, H, W) with mirrored surroundings, `before` pixels of them at the top and left."""
    return mirror_window(image[0], (-before, -before), size)[None]


def plain_tiles(network: Callable[[Tensor], Tensor], image: Tensor) -> Tensor:
    """The loop of common reproductions: tiles of 572 pixels, 388 apart, one by one, float32."""
    height, width = image.shape[-2:]
    rows, columns = -(-height // OUTPUT), -(-width // OUTPUT)
    surrounded = mirrored(
        image, (TILE - OUTPUT) // 2, (rows * OUTPUT + TILE - OUTPUT, columns * OUTPUT + TILE - OUTPUT)
    )
    out = torch.empty(1, 2, rows * OUTPUT, columns * OUTPUT, device=image.device)
    with torch.no_grad():
        for row in range(0, rows * OUTPUT, OUTPUT):
            for column in range(0, columns * OUTPUT, OUTPUT):
                tile = network(surrounded[..., row : row + TILE, column : column + TILE])
                out[..., row : row + OUTPUT, column : column + OUTPUT] = tile
    return out[..., :height, :width]


def one_pass(network: ValidUNet, image: Tensor) -> Tensor:
    """The whole mirrored image through the network at once."""
    height, width = image.shape[-2:]
    rows, columns = (network.next_admissible(n + 2 * network.margin) for n in (height, width))
    with torch.no_grad():
        return network(mirrored(image, network.margin, (rows, columns)))[..., :height, :width]
