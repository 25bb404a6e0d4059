"""The levels of the pyramids above the first: each slice by itself, here or by the workers of a cluster."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .blocks import Job
from .target import PROBABILITY, layers, level_paths, open_level


def fill_levels(job: Job, z: int) -> int:
    """Fill the levels above the first in one slice, each from the one below; doing it twice writes the same again."""
    path = Path(job.target)
    for name in layers(job.instances):
        for level in range(1, len(level_paths(path, name))):
            below, here = open_level(path, name, level - 1, "r"), open_level(path, name, level)
            _fill(below, here, z, mean_2x2 if name == PROBABILITY else every_second)
    return z


def mean_2x2(block: NDArray) -> NDArray:
    """Means of 2 x 2 pixels, (h, w) to half of it, rounded up; the last row or column of an odd size is repeated."""
    block = np.pad(block, [(0, size % 2) for size in block.shape], mode="edge")
    return block.reshape(block.shape[0] // 2, 2, block.shape[1] // 2, 2).mean(axis=(1, 3), dtype=np.float64)


def every_second(block: NDArray) -> NDArray:
    """Every second pixel, as labels cannot be averaged."""
    return block[::2, ::2]


def _fill(below: Any, here: Any, z: int, reduce: Callable[[NDArray], NDArray]) -> None:
    *planes, height, width = here.shape
    rows, columns = here.chunks[-2:]
    for channel in np.ndindex(*planes[:-1]):
        plane = (*channel, z)
        for top in range(0, height, rows):
            for left in range(0, width, columns):
                block = below[*plane, 2 * top : 2 * (top + rows), 2 * left : 2 * (left + columns)]
                here[*plane, top : top + rows, left : left + columns] = reduce(block)
