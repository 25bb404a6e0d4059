"""Images on the working grid of a network, and its probabilities back on the image's own grid."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..data.scale import WorkingAxis, anti_alias, anti_alias_sigma
from ..errors import UserError
from ..transforms.sampling import KERNEL_REACH, Warp, resample
from .windows import output_for, read_window

TRUNCATE = 4  # standard deviations at which the Gaussian of `anti_alias` ends
BAND = 256  # rows restored at a time, to bound the memory


class Rescaled:
    """Images (B, C, H, W) as seen on the working grid, computed window by window: an array-like to read slices from.

    A slice is blurred as by `AntiAlias` and sampled by the cubic kernel, like a random window without rotation, zoom
    and displacement, so that the network gets images as in training.

    Args:
        source: a tensor or array-like, of which only the pixels that a slice needs are read.
        scale: working pixels per image pixel.
    """

    def __init__(self, source: Any, scale: float) -> None:
        self.source = source
        self.scale = scale
        self.axes = [WorkingAxis(size, scale) for size in source.shape[-2:]]
        self.shape = (*source.shape[:2], *(axis.working_size for axis in self.axes))

    def __getitem__(self, key: tuple[int, slice, slice, slice]) -> Tensor:
        """Window (C, rows, columns) of one image, float32 on the CPU; `key` is (image, all channels, rows, columns)."""
        image, _, *parts = key
        reach = math.ceil(TRUNCATE * anti_alias_sigma(self.scale)) + KERNEL_REACH
        positions = [np.arange(part.start, part.stop) * axis.step for part, axis in zip(parts, self.axes, strict=True)]
        first = [int(p[0]) - reach for p in positions]
        size = [math.ceil(p[-1]) + reach + 1 - start for p, start in zip(positions, first, strict=True)]
        window = anti_alias(read_window(self.source, image, first, size).cpu().numpy(), self.scale)
        rows, columns = (p - start for p, start in zip(positions, first, strict=True))
        return torch.from_numpy(resample(window, _upright(rows, columns), "cubic"))

    def around(self, roi: Sequence[slice]) -> tuple[slice, ...]:
        """The working window from which the window `roi` of the image is interpolated."""
        return tuple(axis.around(part.start, part.stop) for part, axis in zip(roi, self.axes, strict=True))

    def restore(self, logits: Tensor, roi: Sequence[slice], out: Any = None) -> Any:
        """Logits of the image's window `roi`: the logarithm of the linearly interpolated probabilities.

        Probabilities are interpolated, not logits: logits are unbounded, so that a very certain pixel would move the
        outline towards a less certain neighbour, and narrow borders between cells would close.

        Args:
            logits: (B, K, h, w) of the working window `around(roi)`.
            roi: slices of rows and columns of the image.
            out: array for the result, (B, K, rows, columns); None for a new tensor on the device of the source.

        Raises:
            UserError: the network has one channel, whose soft-max is 1 everywhere; or `out` has another shape.
        """
        if logits.shape[1] == 1:
            raise UserError("scale interpolates soft-max probabilities, but the network has one channel: give 1")
        rows, columns = (slice(part.start, part.stop) for part in roi)
        shape = (*logits.shape[:2], rows.stop - rows.start, columns.stop - columns.start)
        out = output_for(out, self.source, shape)
        probability = logits.softmax(1)
        work = self.around(roi)
        for start in range(0, shape[2], BAND):
            stop = min(start + BAND, shape[2])
            band = _interpolate(probability, 2, self.axes[0], work[0].start, rows.start + start, rows.start + stop)
            band = _interpolate(band, 3, self.axes[1], work[1].start, columns.start, columns.stop)
            part = band.clamp_min(torch.finfo(band.dtype).tiny).log()
            out[:, :, start:stop] = part if isinstance(out, Tensor) else part.cpu().numpy()
        return out


def _upright(rows: NDArray[np.float64], columns: NDArray[np.float64]) -> Warp:
    """The window that reads the source at all pairs of these rows and columns."""
    one = np.ones_like
    left = np.stack([rows, one(rows)], axis=1)
    zero = np.zeros_like(columns)
    return Warp(left, np.stack([np.stack([one(columns), zero]), np.stack([zero, columns])]))


def _interpolate(x: Tensor, dim: int, axis: WorkingAxis, origin: int, start: int, stop: int) -> Tensor:
    """Values at the image pixels [start, stop) of one axis, linearly from working pixels that begin with `origin`."""
    if axis.size == 1:
        return x
    position = np.arange(start, stop) / axis.step
    low = np.minimum(position.astype(np.int64), axis.working_size - 2)
    fraction = torch.from_numpy((position - low).astype(np.float32)).to(x.device)
    index = torch.from_numpy(low - origin).to(x.device)
    shape = [-1 if d == dim else 1 for d in range(x.ndim)]
    return torch.lerp(x.index_select(dim, index), x.index_select(dim, index + 1), fraction.reshape(shape))
