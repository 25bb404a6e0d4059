"""Connected components of a plane that is never in memory at once: the same cells as those of the whole plane.

Three passes over the blocks. The first labels each block by itself and notes which labels meet at the faces; joining
them gives the cells and their sizes. The second does the same with the background, 8-connected, and notes for each
part which cells it touches: a part that touches one alone, and not the border of the image, is a hole of that cell.
The third writes the cells, holes filled. What stays in memory beside a block is a few numbers for each component.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse

from ..errors import UserError
from ..transforms.instances import EIGHT_NEIGHBOURS
from ..transforms.postprocessing import ProbabilityToInstances, regrow

MOST_CELLS = 2**32 - 1
_NONE = 2**40  # above every id, and exact in the doubles that SciPy's filters compute with


def windows(shape: Sequence[int], block: int) -> Iterator[tuple[slice, slice]]:
    """Square blocks of a plane (H, W), row by row; those at the end are smaller."""
    height, width = shape
    for row in range(0, height, block):
        for column in range(0, width, block):
            yield slice(row, min(row + block, height)), slice(column, min(column + block, width))


def components_in_blocks(
    probability: Any, scratch: Any, out: Any, shape: Sequence[int], block: int, rule: ProbabilityToInstances
) -> int:
    """What `rule` makes of the whole plane, up to the order of the ids.

    Args:
        probability: foreground probability (H, W), read by windows.
        scratch: an integer array (H, W) of at least 32 bits, read and written by windows.
        out: takes the instances, (H, W), another array of the same kind.
        shape: (H, W).
        block: pixels per side that are in memory at a time.
        rule: of the method "components".

    Returns:
        The number of cells; their ids are 1 to that number.

    Raises:
        UserError: more components than ids of 32 bits.
    """
    assert rule.method == "components"
    parts = list(windows(shape, block))
    cells, count = _label_cells(probability, scratch, shape, parts, rule)
    owners, firsts = _find_holes(scratch, shape, parts, cells)
    filled = scratch if rule.grow else out
    for (rows, columns), first in zip(parts, firsts, strict=True):
        inside = cells[scratch[rows, columns]]
        background, _ = _label_background(inside)
        filled[rows, columns] = np.where(inside > 0, inside, owners[np.where(background > 0, background + first, 0)])
    if rule.grow:
        _regrow(filled, out, shape, parts, rule.grow)
    return count


def _label_cells(
    probability: Any, scratch: Any, shape: Sequence[int], parts: list[tuple[slice, slice]], rule: ProbabilityToInstances
) -> tuple[NDArray[np.int64], int]:
    """Write labels that are unique in the plane, and return the cell of each label (0: too small), and their number."""
    faces, sizes, total = _Faces(shape[1]), [np.zeros(1, np.int64)], 0
    for rows, columns in parts:
        labels, count = ndimage.label(probability[rows, columns] >= rule.threshold)
        sizes.append(np.bincount(labels.ravel(), minlength=count + 1)[1:])
        labels = np.where(labels > 0, labels.astype(np.int64) + total, 0)
        total += count
        if total > MOST_CELLS:
            raise UserError(f"more than {MOST_CELLS:,} components in a plane; raise the threshold")
        faces.add(labels, rows, columns, reach=0)
        scratch[rows, columns] = labels
    group = faces.groups(total)
    pixels = np.bincount(group, np.concatenate(sizes))
    keep = pixels >= rule.min_size
    keep[group[0]] = False
    return np.where(keep, np.cumsum(keep), 0)[group], int(keep.sum())


def _find_holes(
    scratch: Any, shape: Sequence[int], parts: list[tuple[slice, slice]], cells: NDArray[np.int64]
) -> tuple[NDArray[np.int64], list[int]]:
    """The cell that each part of the background is a hole of (0: none), and by how much each block's labels start."""
    faces, total = _Faces(shape[1]), 0
    lowest, highest = [np.array([_NONE])], [np.zeros(1, np.int64)]
    at_border, firsts = [np.zeros(1, bool)], []
    for rows, columns in parts:
        around = [slice(max(part.start - 1, 0), part.stop + 1) for part in (rows, columns)]
        inner = tuple(
            slice(part.start - wide.start, part.stop - wide.start)
            for part, wide in zip((rows, columns), around, strict=True)
        )
        near = cells[scratch[around[0], around[1]]]
        labels, count = _label_background(near[inner])
        index = np.arange(1, count + 1)
        below = ndimage.minimum_filter(np.where(near > 0, near, _NONE), size=3)[inner]
        lowest.append(np.asarray(ndimage.minimum(below, labels, index), np.int64))
        highest.append(
            np.asarray(ndimage.maximum(ndimage.maximum_filter(near, size=3)[inner], labels, index), np.int64)
        )
        at_border.append(np.isin(index, _at_border(labels, rows, columns, shape)))
        firsts.append(total)
        faces.add(np.where(labels > 0, labels.astype(np.int64) + total, 0), rows, columns, reach=1)
        total += count
    group = faces.groups(total)
    least, most = np.full(group.max() + 1, _NONE), np.zeros(group.max() + 1, np.int64)
    outside = np.zeros(group.max() + 1, bool)
    np.minimum.at(least, group, np.concatenate(lowest))
    np.maximum.at(most, group, np.concatenate(highest))
    np.logical_or.at(outside, group, np.concatenate(at_border))
    return np.where((least == most) & ~outside, most, 0)[group], firsts


def _label_background(cells: NDArray[np.int64]) -> tuple[NDArray[np.int32], int]:
    return ndimage.label(cells == 0, EIGHT_NEIGHBOURS)


def _at_border(labels: NDArray, rows: slice, columns: slice, shape: Sequence[int]) -> NDArray:
    """The labels of a block that lie at the border of the image."""
    edges = [(rows.start == 0, labels[0]), (rows.stop == shape[0], labels[-1])]
    edges += [(columns.start == 0, labels[:, 0]), (columns.stop == shape[1], labels[:, -1])]
    return np.concatenate([np.zeros(0, labels.dtype), *(edge for is_border, edge in edges if is_border)])


class _Faces:
    """Labels that meet where blocks meet; blocks come row by row."""

    def __init__(self, width: int) -> None:
        # A frame of one pixel, so that neighbours at a corner need no special case.
        self.above = np.zeros(width + 2, np.int64)
        self.current = np.zeros(width + 2, np.int64)
        self.left = np.zeros(0, np.int64)
        self.pairs: list[NDArray[np.int64]] = []

    def add(self, labels: NDArray[np.int64], rows: slice, columns: slice, reach: int) -> None:
        """Note what meets the blocks above and to the left; `reach` 0: 4-connected, 1: 8-connected."""
        if columns.start == 0:
            self.above, self.current = self.current, np.zeros_like(self.current)
        width = columns.stop - columns.start
        for step in range(-reach, reach + 1):
            self._meet(self.above[columns.start + 1 + step :][:width], labels[0])
            if columns.start > 0:
                left = np.pad(self.left, 1)
                self._meet(left[1 + step :][: len(labels)], labels[:, 0])
        self.current[columns.start + 1 : columns.stop + 1] = labels[-1]
        self.left = labels[:, -1]

    def groups(self, count: int) -> NDArray[np.int32]:
        """The group of each label from 0 to `count`: labels that meet, directly or through others, share one."""
        first, second = np.concatenate([np.zeros((2, 0), np.int64), *self.pairs], axis=1)
        graph = sparse.coo_array((np.ones(len(first), bool), (first, second)), shape=(count + 1, count + 1))
        return sparse.csgraph.connected_components(graph, directed=False)[1]

    def _meet(self, one: NDArray[np.int64], other: NDArray[np.int64]) -> None:
        both = (one > 0) & (other > 0)
        if both.any():
            self.pairs.append(np.unique(np.stack([one[both], other[both]]), axis=1))


def _regrow(filled: Any, out: Any, shape: Sequence[int], parts: list[tuple[slice, slice]], grow: int) -> None:
    """`regrow` block by block: a pixel depends on those within twice the distance."""
    halo = 2 * grow + 2
    for rows, columns in parts:
        wide = [
            slice(max(p.start - halo, 0), min(p.stop + halo, n)) for p, n in zip((rows, columns), shape, strict=True)
        ]
        near = np.asarray(filled[wide[0], wide[1]])
        ids = np.unique(np.append(0, near))
        grown = ids[regrow(np.searchsorted(ids, near).astype(np.int32), grow)]
        inner = (
            slice(rows.start - wide[0].start, rows.stop - wide[0].start),
            slice(columns.start - wide[1].start, columns.stop - wide[1].start),
        )
        out[rows, columns] = grown[inner]
