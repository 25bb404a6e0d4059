"""The project's rule for gray values, slice by slice, on volumes of which no slice has to fit into memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from custom.blockwise.gray import GrayWindows, gray_limits
from custom.data.gray import GrayRule, GrayRules

from .source import Volume


@dataclass(frozen=True)
class ChannelSlice:
    """One slice of several channels as an image (1, C, H, W), each of them as `gray_slice` gives it."""

    channels: tuple[GrayWindows, ...]

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return 1, len(self.channels), *self.channels[0].size

    def __getitem__(self, index: Any) -> NDArray[np.float32]:
        """A window (C, h, w), asked for as `[0, :, rows, columns]`."""
        return np.concatenate([channel[index] for channel in self.channels])


def channel_slice(volumes: Sequence[Volume], z: int, rules: GrayRules) -> ChannelSlice:
    """A slice of the volumes of several channels, each by its own rule."""
    pairs = zip(volumes, rules.rules, strict=True)
    return ChannelSlice(tuple(gray_slice(volume, z, rule) for volume, rule in pairs))


def gray_slice(volume: Volume, z: int, rule: GrayRule) -> GrayWindows:
    """A slice of gray values; its percentiles are measured now, its windows are read when they are asked for."""
    size, dtypes = (volume.shape[1], volume.shape[2]), (volume.dtype, volume.pixel_dtype)
    limits = gray_limits(partial(volume.bands, z), size, dtypes, rule, f"{volume.path}, slice {z}")
    return GrayWindows(partial(volume.read, z), size, *limits)
