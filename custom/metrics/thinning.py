"""Thinning of the membranes for the second protocol of ISBI 2012: a watershed on two levels.

The algorithm is that of Vincent and Soille (1991) with the interior as the lower level and the membrane as the upper
one. Where two regions meet, the dam depends on the order of the visits; it is the order of the original Java tool.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..compiled import compiled

_INIT, _MASK, _IN_QUEUE, _BORDER = -1, -2, -3, -4


def thinned(foreground: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Regions (H, W) that grow from the 4-connected `foreground` (H, W) until dams of one pixel, 0, are left.

    Where there is no foreground at all, the whole image is one region.
    """
    # Transposed, so that the flat index runs in the tool's order: x outer, y inner.
    padded = np.full((foreground.shape[1] + 2, foreground.shape[0] + 2), _BORDER, dtype=np.int32)
    padded[1:-1, 1:-1] = _INIT
    inner = np.flatnonzero(padded == _INIT)
    first = np.ascontiguousarray(foreground.T).ravel()
    regions = padded.ravel()
    _watershed(regions, inner[first], inner[~first], padded.shape[1])
    return regions.reshape(padded.shape)[1:-1, 1:-1].T


@compiled
def _watershed(lab: NDArray, interior: NDArray, membrane: NDArray, stride: int) -> None:
    steps = (-stride, -1, stride, 1)  # left, up, right, down
    queue = np.empty(len(interior) + len(membrane), dtype=np.int64)
    regions = 0
    for level in (interior, membrane):
        tail = _seeds(lab, level, steps, queue)
        _flood_level(lab, steps, queue, tail)
        for p in level:
            if lab[p] == _MASK:
                regions += 1
                _flood_region(lab, p, regions, steps, queue)


@compiled
def _seeds(lab: NDArray, level: NDArray, steps: tuple, queue: NDArray) -> int:
    """Mask the pixels of the level and queue those beside a region or dam of the level below."""
    tail = 0
    for p in level:
        lab[p] = _MASK
        for step in steps:
            if lab[p + step] >= 0:
                lab[p] = _IN_QUEUE
                queue[tail] = p
                tail += 1
                break
    return tail


@compiled
def _flood_level(lab: NDArray, steps: tuple, queue: NDArray, tail: int) -> None:
    """Grow the regions into the level, first in, first out; the first level has no regions yet to grow."""
    flag = False  # Whether the pixel last made a dam touched only dams; not reset from pixel to pixel, as in the tool.
    head = 0
    while head < tail:
        p = queue[head]
        head += 1
        for step in steps:
            q = p + step
            if lab[q] > 0:
                if lab[p] == _IN_QUEUE or (lab[p] == 0 and flag):
                    lab[p] = lab[q]
                elif lab[p] > 0 and lab[p] != lab[q]:
                    lab[p] = 0
                    flag = False
            elif lab[q] == 0:
                if lab[p] == _IN_QUEUE:
                    lab[p] = 0
                    flag = True
            elif lab[q] == _MASK:
                lab[q] = _IN_QUEUE
                queue[tail] = q
                tail += 1


@compiled
def _flood_region(lab: NDArray, seed: int, region: int, steps: tuple, queue: NDArray) -> None:
    """Give the masked pixels that are 4-connected to `seed` a label of their own."""
    lab[seed] = region
    queue[0] = seed
    head, tail = 0, 1
    while head < tail:
        p = queue[head]
        head += 1
        for step in steps:
            if lab[p + step] == _MASK:
                lab[p + step] = region
                queue[tail] = p + step
                tail += 1
