"""Which images an exported network takes, in the words of `torch.export`, and the check that the export is right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim

from custom.errors import UserError
from custom.inferers.geometry import geometry_of

TOLERANCE = 1e-4
# Larger than any image or batch; torch.export asks for a limit.
_MOST = 2**16


@dataclass(frozen=True)
class InputSizes:
    """Images (B, channels, H, W) whose H and W are `smallest` or more in steps of `step`."""

    channels: int
    smallest: int
    step: int

    @property
    def rule(self) -> str:
        """The sizes in words."""
        more = "more" if self.step == 1 else f"a multiple of {self.step} more"
        return f"height and width have to be {self.smallest} or {more}"

    def images(self, batch: int, rows: int, columns: int) -> Tensor:
        """Random images in [0, 1] that are `rows` and `columns` steps larger than the smallest."""
        size = (self.smallest + rows * self.step, self.smallest + columns * self.step)
        return torch.rand(batch, self.channels, *size, generator=torch.Generator().manual_seed(0))

    def example(self) -> Tensor:
        """Images to export with: every free dimension is at least 2, because 1 would be taken for a constant."""
        return self.images(2, 2, 3)

    def dynamic_shapes(self) -> tuple[dict[int, Any]]:
        """Batch, H and W as free dimensions."""
        rows, columns = (self.step * Dim(name, min=0, max=_MOST) + self.smallest for name in ("h", "w"))
        return ({0: Dim("batch", min=1, max=_MOST), 2: rows, 3: columns},)


def in_channels(network: nn.Module) -> int:
    """Channels of the images that the network takes: those of its first convolution."""
    return next(layer.in_channels for layer in network.modules() if isinstance(layer, nn.Conv2d))


def sizes_of(network: nn.Module) -> InputSizes:
    """What the network itself takes: 16 * n + 188 pixels for a valid U-Net of depth 4."""
    geometry = geometry_of(network)
    return InputSizes(in_channels(network), geometry.input_size(1), geometry.divisor)


@torch.no_grad()
def require_equal(exported: Callable[[Tensor], Tensor], network: nn.Module, sizes: InputSizes, path: Path) -> None:
    """Compare what was written with the network, at sizes and batches other than the example's.

    Raises:
        UserError: the values differ by more than `TOLERANCE`.
    """
    for shape in ((1, 0, 1), (3, 4, 1)):
        images = sizes.images(*shape)
        worst = float((exported(images) - network(images)).abs().max())
        if not worst <= TOLERANCE:
            raise UserError(f"{path}: not written, the exported network differs by {worst:.2g} from the original")
