"""The project's rule for gray values on planes of which only windows are in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.gray import GrayRule, as_float, scale
from .order_statistics import order_statistics


@dataclass(frozen=True)
class GrayWindows:
    """A plane as an image (1, 1, H, W) of gray values in [0, 1], read and scaled window by window.

    The values are those that a `custom.data.GrayRule` gives for the whole plane.

    Args:
        read: gives the pixels (h, w) of a window of rows and columns.
        size: (H, W).
        low, high: what become 0 and 1.
    """

    read: Callable[[slice, slice], NDArray]
    size: tuple[int, int]
    low: Any
    high: Any

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return 1, 1, *self.size

    def __getitem__(self, index: Any) -> NDArray[np.float32]:
        """A window (1, h, w), indexed as `[0, :, rows, columns]`."""
        window = self.read(index[-2], index[-1])
        return scale(window.astype(self.low.dtype), self.low, self.high)[None]


@dataclass(frozen=True)
class ChannelWindows:
    """A plane of several channels as an image (1, C, H, W), each of them as `GrayWindows` gives it."""

    channels: tuple[GrayWindows, ...]

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return 1, len(self.channels), *self.channels[0].size

    def __getitem__(self, index: Any) -> NDArray[np.float32]:
        """A window (C, h, w), indexed as `[0, :, rows, columns]`."""
        return np.concatenate([channel[index] for channel in self.channels])


def gray_limits(
    bands: Callable[[], Iterable[NDArray]],
    size: tuple[int, int],
    dtypes: tuple[np.dtype, np.dtype],
    rule: GrayRule,
    name: str,
) -> tuple[Any, Any]:
    """What becomes 0 and 1 in a plane, in one pass over its pixels (two for 32 bits, four for 64).

    Args:
        bands: starts over and gives all pixels in pieces.
        size: (H, W).
        dtypes: of the pixels that `bands` gives, and of the image before colours became brightness.
        rule: the rule.
        name: what a warning calls the plane.
    """
    last = size[0] * size[1] - 1
    ranks = [0, *(int(np.rint(last * percentile / 100)) for percentile in rule.percentiles), last]
    values = order_statistics(bands, dtypes[0], ranks)
    least, low, high, most = as_float(np.array(values, dtypes[0]))
    return rule.limits((least, low, high, most), dtypes[1], name)
