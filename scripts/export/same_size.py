"""A network that mirrors its input by itself, so that the output is as large as the image."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from custom.inferers.geometry import geometry_of

from .sizes import InputSizes, in_channels


class SameSize(nn.Module):
    """Logits (B, K, H, W) of images (B, C, H, W): those of the overlap-tile inferer, in one pass.

    The image is mirrored as `custom.data.mirror` does it, at any distance, by gathering rows and columns:
    `torch.nn.functional.pad` refuses to mirror further than the image is large. H and W are multiples of the
    network's `divisor`, so that every size passes through the same operations and the graph can be exported.

    Raises (in forward):
        ValueError: H or W is another size. (Not an `UserError`: TorchScript knows the built-in exceptions alone.)
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        geometry = geometry_of(network)
        self.network = network
        self.divisor = geometry.divisor
        self.halo = geometry.halo
        self.before = geometry.border
        self.added = geometry.input_size(geometry.divisor) - geometry.divisor
        # Output pixels per side that depend on the mirrored surroundings, as whole steps: tools that tile the image
        # throw them away, and tile origins stay multiples of the divisor.
        self.tile_halo = -(-geometry.border // geometry.divisor) * geometry.divisor

    def forward(self, image: Tensor) -> Tensor:
        rows, columns = image.shape[-2], image.shape[-1]
        if rows % self.divisor != 0 or columns % self.divisor != 0:
            raise ValueError("height and width have to be multiples of the network's divisor")
        image = image.index_select(-2, self.mirrored(rows, image.device))
        image = image.index_select(-1, self.mirrored(columns, image.device))
        return self.network(image)[..., self.halo : self.halo + rows, self.halo : self.halo + columns]

    def mirrored(self, size: int, device: torch.device) -> Tensor:
        """Positions inside an axis of `size` pixels for the mirrored axis of `size + added` pixels."""
        # As a tensor, because the ONNX exporter has no remainder by a free dimension.
        period = torch.full((1,), max(2 * (size - 1), 1), dtype=torch.int64, device=device)
        position = torch.remainder(torch.arange(-self.before, size + self.added - self.before, device=device), period)
        return torch.minimum(position, period - position)


def same_size_sizes(same: SameSize) -> InputSizes:
    """What :class:`SameSize` takes: multiples of the divisor."""
    return InputSizes(in_channels(same), same.divisor, same.divisor)
