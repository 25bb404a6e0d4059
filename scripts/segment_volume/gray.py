"""The project's rule for gray values, slice by slice, on volumes of which no slice has to fit into memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .order_statistics import order_statistics
from .source import Volume

_PERCENTILES = (0.1, 99.9)  # those of custom.data.to_gray, which a test holds equal


@dataclass(frozen=True)
class GraySlice:
    """One slice as an image (1, 1, H, W) of gray values in [0, 1], read and scaled window by window.

    The values are those of `custom.data.to_gray` for the whole slice: its own 0.1 and 99.9 percentiles become 0 and 1.
    """

    volume: Volume
    z: int
    low: Any
    high: Any

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return 1, 1, self.volume.shape[1], self.volume.shape[2]

    def __getitem__(self, index: Any) -> NDArray[np.float32]:
        """A window (1, h, w), asked for as `[0, :, rows, columns]`."""
        window = self.volume.read(self.z, index[-2], index[-1])[None]
        if self.low == self.high:
            return np.zeros(window.shape, np.float32)
        window = window.astype(self.low.dtype)
        return ((window.clip(self.low, self.high) - self.low) / (self.high - self.low)).astype(np.float32)


def gray_slice(volume: Volume, z: int) -> GraySlice:
    """Measure the percentiles of a slice in one pass over its pixels (two for 32 bits, four for 64)."""
    last = volume.shape[1] * volume.shape[2] - 1
    ranks = [0, *(int(np.rint(last * percentile / 100)) for percentile in _PERCENTILES), last]
    values = order_statistics(lambda: volume.bands(z), volume.dtype, ranks)
    # float64 for what float32 cannot hold exactly
    least, low, high, most = np.array(values, volume.dtype).astype(np.result_type(volume.dtype, np.float32))
    return GraySlice(volume, z, least, most) if low == high else GraySlice(volume, z, low, high)
