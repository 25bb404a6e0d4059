"""Polygons of a mask along the edges of its pixels, so that their areas are the pixel counts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Point = tuple[int, int]  # (x, y); pixel (row r, column c) covers x from c to c + 1 and y from r to r + 1
RIGHT = {(1, 0): (0, 1), (0, 1): (-1, 0), (-1, 0): (0, -1), (0, -1): (1, 0)}


def mask_polygons(mask: NDArray, least_area: int = 0) -> list[list[list[int]]]:
    """One closed polygon of corner points [x, y] for each 4-connected part of a mask (H, W) of booleans.

    A part with holes gives one polygon too: a cut of no width, out and back along one line, joins each hole to the
    outline, since the annotation formats have no holes. Parts of fewer than `least_area` pixels are left out.
    """
    parts, _ = ndimage.label(mask)
    polygons = []
    for number, (rows, columns) in enumerate(ndimage.find_objects(parts), start=1):
        part = parts[rows, columns] == number
        if part.sum() < least_area:
            continue
        outline, *holes = sorted(_rings(part), key=signed_area, reverse=True)
        for hole in holes:
            outline = _join(outline, hole)
        polygons.append([[x + columns.start, y + rows.start] for x, y in outline])
    return polygons


def signed_area(ring: list[Point] | list[list[int]]) -> float:
    """Area by the shoelace formula: positive for an outline, negative for a hole."""
    x, y = np.array(ring, dtype=np.int64).T
    return float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))) / 2


def _rings(part: NDArray) -> list[list[Point]]:
    """The outline and the holes, each with the part to the right of its direction (y points down)."""
    inside = np.pad(part, 1)
    edges: dict[Point, list[Point]] = {}  # start -> directions
    for direction, shift, corner in (
        ((1, 0), (1, 0), (0, 0)),  # above the pixel is nothing: along its top, from its left corner
        ((0, 1), (0, -1), (1, 0)),
        ((-1, 0), (-1, 0), (1, 1)),
        ((0, -1), (0, 1), (0, 1)),
    ):
        border = inside & ~np.roll(inside, shift, axis=(0, 1))
        for row, column in np.argwhere(border):
            edges.setdefault((int(column) - 1 + corner[0], int(row) - 1 + corner[1]), []).append(direction)
    rings = []
    while edges:
        rings.append(_follow(edges, next(iter(edges))))
    return rings


def _follow(edges: dict[Point, list[Point]], start: Point) -> list[Point]:
    """Corners of the ring through `start`, whose edges are taken out of `edges`."""
    ring: list[Point] = []
    point, last = start, None
    while point in edges:
        ways = edges[point]
        # Where two pixels touch at a corner, a right turn stays with the same pixel.
        way = RIGHT[last] if last is not None and RIGHT[last] in ways else ways[0]
        ways.remove(way)
        if not ways:
            del edges[point]
        if way != last:
            ring.append(point)
        point, last = (point[0] + way[0], point[1] + way[1]), way
    return ring


def _join(outline: list[Point], hole: list[Point]) -> list[Point]:
    """Outline with the hole inserted at the outline's point nearest to the hole's first."""
    distances = np.abs(np.array(outline) - np.array(hole[0])).sum(axis=1)
    at = int(distances.argmin())
    return [*outline[: at + 1], *hole, hole[0], *outline[at:]]
