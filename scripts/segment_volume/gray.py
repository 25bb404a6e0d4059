"""The project's rule for gray values, slice by slice, on volumes of which no slice has to fit into memory."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from custom.blockwise.gray import ChannelWindows, GrayWindows, gray_limits
from custom.data.gray import GrayRule, GrayRules
from custom.files import replace_file

from .source import Volume


def channel_slice(volumes: Sequence[Volume], z: int, rules: GrayRules, folder: Path | None = None) -> ChannelWindows:
    """A slice of the volumes of several channels, each by its own rule; `folder` as in `gray_slice`."""
    channels = enumerate(zip(volumes, rules.rules, strict=True))
    parts = (gray_slice(volume, z, rule, folder and folder / f"channel{k}") for k, (volume, rule) in channels)
    return ChannelWindows(tuple(parts))


def gray_slice(volume: Volume, z: int, rule: GrayRule, folder: Path | None = None) -> GrayWindows:
    """A slice of gray values; its percentiles are measured now, its windows are read when they are asked for.

    With a `folder` what becomes 0 and 1 is kept there, because measuring it takes a pass over the whole slice.
    """
    size, kept = (volume.shape[1], volume.shape[2]), folder and folder / f"{z}.npy"
    if kept is not None and kept.is_file():
        limits = tuple(np.load(kept))
    else:
        dtypes = (volume.dtype, volume.pixel_dtype)
        limits = gray_limits(partial(volume.bands, z), size, dtypes, rule, f"{volume.path}, slice {z}")
    if kept is not None and not kept.is_file():
        with replace_file(kept) as temporary:
            np.save(temporary, np.array(limits))
    return GrayWindows(partial(volume.read, z), size, *limits)
