"""Objects that were drawn as outlines, and the masks that they make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from skimage.draw import polygon

IGNORE = "Ignore*"
"""Category of a region that is neither object nor background, as QuPath calls it; groups of objects are such, too."""
IGNORED_AMONG_CLASSES, IGNORED_AMONG_OBJECTS = 255, 65535  # mask values
_POINTS = 256  # on the outline of an oval


@dataclass(frozen=True)
class Region:
    """One object, or a region to ignore.

    Args:
        parts: each a tuple of rings (N, 2) of points (x, y) in pixels, where (0, 0) is the corner of the first pixel. A
            part covers what lies inside an odd number of its rings, so that a ring inside another one is a hole.
        category: name of its class.
        page: of the image file, from 0; None if it does not say.
        filled: pixels (H, W) of an object that was not drawn as rings.
        size: (H, W) of the image that it was drawn on; None if it does not say.
    """

    parts: Sequence[Sequence[NDArray]] = ()
    category: str = "object"
    page: int | None = None
    filled: NDArray[np.bool_] | None = None
    size: tuple[int, int] | None = None

    def pixels(self, shape: tuple[int, int]) -> tuple[NDArray, NDArray]:
        """Rows and columns of the pixels in an image (H, W) whose centres it covers."""
        if self.filled is not None:
            rows, columns = np.nonzero(self.filled)
            inside = (rows < shape[0]) & (columns < shape[1])
            return rows[inside], columns[inside]
        points = [ring for part in self.parts for ring in part if len(ring)]
        if not points:
            return np.zeros(0, np.intp), np.zeros(0, np.intp)
        low = np.clip(np.floor(np.min([ring.min(axis=0) for ring in points], axis=0)), 0, shape[::-1])
        high = np.clip(np.ceil(np.max([ring.max(axis=0) for ring in points], axis=0)), low, shape[::-1])
        (left, top), (right, bottom) = low.astype(int), high.astype(int)
        covered = np.zeros((bottom - top, right - left), bool)
        for part in self.parts:
            odd = np.zeros_like(covered)
            for ring in part:
                x, y = np.asarray(ring, np.float64).T
                odd[polygon(y - 0.5 - top, x - 0.5 - left, odd.shape)] ^= True
            covered |= odd
        rows, columns = np.nonzero(covered)
        return rows + top, columns + left


def rectangle(box: NDArray) -> NDArray[np.float64]:
    """Ring (4, 2) of a box [[x, y], [x, y]] of two opposite corners."""
    (left, top), (right, bottom) = box
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float64)


def oval(box: NDArray) -> NDArray[np.float64]:
    """Ring (N, 2) of the ellipse that touches the sides of a box [[x, y], [x, y]]."""
    angles = np.linspace(0, 2 * np.pi, _POINTS)
    return box.mean(axis=0) + np.stack([np.cos(angles), np.sin(angles)], axis=1) * np.ptp(box, axis=0) / 2


def draw(
    regions: Sequence[Region], shape: tuple[int, int], values: Mapping[str, int] | None
) -> tuple[NDArray[np.int32], int]:
    """A mask (H, W) of regions, and how many of them it does not show.

    Where regions overlap, the smallest is on top. A region is not shown if it covers the centre of no pixel, or if
    others cover it.

    Args:
        regions: of one page.
        shape: (H, W).
        values: mask value of each category; None: 1, 2, ..., one for each region that is not to be ignored.
    """
    mask = np.zeros(shape, np.int32)
    owner = np.zeros(shape, np.int32)
    drawn = [(region, region.pixels(shape)) for region in regions]
    for number in sorted(range(len(drawn)), key=lambda n: len(drawn[n][1][0]), reverse=True):
        region, pixels = drawn[number]
        owner[pixels] = number + 1
        if values is not None:
            mask[pixels] = values[region.category]
        elif region.category == IGNORE:
            mask[pixels] = IGNORED_AMONG_OBJECTS
        else:
            mask[pixels] = number + 1 + (number + 1 >= IGNORED_AMONG_OBJECTS)
    shown = set(np.unique(owner).tolist()) - {0}
    return mask, len(regions) - len(shown)
