"""Conversion to gray values by slices, which need not fit into memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from custom.data.gray import GrayRule, GrayRules, as_float, scale

from .order_statistics import order_statistics
from .source import Volume


@dataclass(frozen=True)
class GraySlice:
    """One slice as an image (1, 1, H, W) of gray values in [0, 1], read and scaled window by window.

    The values are those that a `custom.data.GrayRule` gives for the whole slice.
    """

    volume: Volume
    z: int
    low: Any
    high: Any

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return 1, 1, self.volume.shape[1], self.volume.shape[2]

    def __getitem__(self, index: Any) -> NDArray[np.float32]:
        """A window (1, h, w), indexed as `[0, :, rows, columns]`."""
        window = self.volume.read(self.z, index[-2], index[-1])
        return scale(window.astype(self.low.dtype), self.low, self.high)[None]


@dataclass(frozen=True)
class ChannelSlice:
    """One slice of several channels as an image (1, C, H, W), each of them a `GraySlice`."""

    channels: tuple[GraySlice, ...]

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return 1, len(self.channels), *self.channels[0].shape[2:]

    def __getitem__(self, index: Any) -> NDArray[np.float32]:
        """A window (C, h, w), asked for as `[0, :, rows, columns]`."""
        return np.concatenate([channel[index] for channel in self.channels])


def channel_slice(volumes: Sequence[Volume], z: int, rules: GrayRules) -> ChannelSlice:
    """A slice of the volumes of several channels, each by its own rule."""
    pairs = zip(volumes, rules.rules, strict=True)
    return ChannelSlice(tuple(gray_slice(volume, z, rule) for volume, rule in pairs))


def gray_slice(volume: Volume, z: int, rule: GrayRule) -> GraySlice:
    """Measure the percentiles of a slice in one pass over its pixels (two for 32 bits, four for 64)."""
    last = volume.shape[1] * volume.shape[2] - 1
    ranks = [0, *(int(np.rint(last * percentile / 100)) for percentile in rule.percentiles), last]
    values = order_statistics(lambda: volume.bands(z), volume.dtype, ranks)
    least, low, high, most = as_float(np.array(values, volume.dtype))
    limits = rule.limits((least, low, high, most), volume.pixel_dtype, f"{volume.path}, slice {z}")
    return GraySlice(volume, z, *limits)
