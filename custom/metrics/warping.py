"""Warping error of ISBI 2012 (first protocol): pixels of splits and mergers that no warping of the label explains.

The label is warped to the proposal by flipping simple pixels, which leave the topology alone (Jain et al., 2010). The
mismatches that remain are topological errors. The order of the flips is that of the original Java tool.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label as components

from ..compiled import compiled
from .pixel_error import pixel_counts, pixel_error_of_counts
from .sweep import THRESHOLDS, Score, Stack, in_threads, pairs

# How far around a pixel its object is followed to see whether removing the pixel splits it.
RADIUS = 20


@dataclass(frozen=True)
class WarpingScore(Score):
    """Warping error: value and threshold as in `Score`, and what is needed to judge them.

    Attributes:
        at_pixel_error_threshold: the warping error at the pixel error's threshold. The minimum over thresholds can be
            gamed: an all-black proposal beats good ones.
        splits: pixels classified as splits, in the whole stack at `threshold`.
        mergers: likewise as mergers.
    """

    at_pixel_error_threshold: float
    splits: int
    mergers: int

    def extras(self) -> dict[str, float]:
        return super().extras() | {"at_pixel_error_threshold": self.at_pixel_error_threshold}


def warping_counts(label: NDArray, proposal: NDArray, valid: NDArray | None = None) -> NDArray[np.int64]:
    """Counts of one image, (11, 6), one row per threshold: split and merger pixels, all pixels, TP, FP and FN.

    Args:
        label: (H, W), foreground where > 0.
        proposal: (H, W), foreground probability.
        valid: (H, W) boolean; where it is false, the label takes the proposal's value, so that such pixels are
            never wrong, and they are not counted.
    """
    inside = np.ones(label.shape, dtype=bool) if valid is None else valid
    proposal = np.asarray(proposal, dtype=np.float64)

    def at(threshold: float) -> tuple[int, int]:
        target = proposal > threshold
        source = np.where(inside, label > 0, target)
        return topological_errors(source, target, np.abs(proposal - threshold).astype(np.float32))

    errors = np.array(in_threads(at, THRESHOLDS))
    size = np.full((len(THRESHOLDS), 1), np.count_nonzero(inside))
    return np.concatenate([errors, size, pixel_counts(label, proposal, valid)], axis=1)


def topological_errors(source: NDArray[np.bool_], target: NDArray[np.bool_], distance: NDArray) -> tuple[int, int]:
    """Warp `source` to `target` and count the remaining mismatches that are splits, and those that are mergers.

    Args:
        source: (H, W), the true foreground.
        target: (H, W), the proposed foreground.
        distance: (H, W) float32; pixels are flipped in descending order of it.
    """
    # Transposed, so that the flat index runs in the tool's order: x outer, y inner.
    warped, wanted = (np.pad(image.T, 1).astype(np.uint8, order="C") for image in (source, target))
    mismatches = np.flatnonzero(warped != wanted)
    order = np.argsort(-np.pad(distance.T, 1).ravel()[mismatches], kind="stable")
    mismatches = _warp(warped.ravel(), wanted.ravel(), mismatches[order], warped.shape[1], _SIMPLE)
    warped = np.ascontiguousarray(warped[1:-1, 1:-1])
    x, y = np.divmod(mismatches, source.shape[0] + 2)
    return _classify(warped, components(warped)[0], x - 1, y - 1)


# The neighbours of a pixel in a circle; those at even places are 4-connected to it.
_CIRCLE = ((-1, 0), (-1, -1), (0, -1), (1, -1), (1, 0), (1, 1), (0, 1), (-1, 1))


def _is_simple(neighbourhood: int) -> bool:
    """Whether a pixel is simple: one 4-component of foreground touches it, and there is one 8-component of background.

    Bit i of `neighbourhood` says whether the neighbour `_CIRCLE[i]` is foreground.
    """
    patch = np.zeros((3, 3), dtype=bool)
    for i, (dx, dy) in enumerate(_CIRCLE):
        patch[1 + dx, 1 + dy] = neighbourhood >> i & 1
    objects = components(patch)[0]
    background = ~patch
    background[1, 1] = False
    touching = set(objects[[0, 1, 1, 2], [1, 0, 2, 1]]) - {0}
    return len(touching) == 1 and components(background, np.ones((3, 3)))[1] == 1


_SIMPLE = np.array([_is_simple(neighbourhood) for neighbourhood in range(256)])


@compiled
def _warp(warped: NDArray, wanted: NDArray, mismatches: NDArray, stride: int, simple: NDArray) -> NDArray:
    """Flip simple mismatches in order, repeatedly until a round changes nothing; returns the remaining ones."""
    circle = (-stride, -stride - 1, -1, stride - 1, stride, stride + 1, 1, 1 - stride)
    before = -1
    while len(mismatches) not in (0, before):
        before = len(mismatches)
        for p in mismatches:
            neighbourhood = 0
            for i in range(8):
                neighbourhood |= warped[p + circle[i]] << i
            if simple[neighbourhood]:
                warped[p] = 1 - warped[p]
        mismatches = mismatches[warped[mismatches] != wanted[mismatches]]
    return mismatches


@compiled
def _classify(warped: NDArray, objects: NDArray, xs: NDArray, ys: NDArray) -> tuple[int, int]:
    """Count the mismatches at (xs, ys) that are splits and mergers, by the ids of the objects around each."""
    splits = mergers = 0
    for x, y in zip(xs, ys):  # noqa: B905 -- numba has no strict zip
        ids = _ids_around(objects, x, y)
        if ids > 2 and warped[x, y] == 0:
            mergers += 1
        elif ids > 2 or (ids == 2 and warped[x, y] == 1 and _parts_without(warped, x, y) > 1):
            splits += 1
    return splits, mergers


@compiled
def _ids_around(objects: NDArray, x: int, y: int) -> int:
    """How many ids, 0 among them, the 8 neighbours inside the image have."""
    seen = np.empty(8, dtype=objects.dtype)
    count = 0
    for dx, dy in _CIRCLE:
        if 0 <= x + dx < objects.shape[0] and 0 <= y + dy < objects.shape[1]:
            seen[count] = objects[x + dx, y + dy]
            count += 1
    return len(np.unique(seen[:count]))


@compiled
def _parts_without(warped: NDArray, x: int, y: int) -> int:
    """Objects that touch (x, y), 8 neighbours, in the window around it, once the pixel itself is background."""
    window = np.zeros((2 * RADIUS + 3, 2 * RADIUS + 3), dtype=np.uint8)  # With a border of background.
    x0, y0 = max(x - RADIUS, 0), max(y - RADIUS, 0)
    part = warped[x0 : x + RADIUS + 1, y0 : y + RADIUS + 1]
    cx, cy = x - x0 + 1, y - y0 + 1
    window[1 : 1 + part.shape[0], 1 : 1 + part.shape[1]] = part
    window[cx, cy] = 0
    parts = 0
    for dx, dy in _CIRCLE:
        if window[cx + dx, cy + dy]:
            parts += 1
            _erase(window, cx + dx, cy + dy)
    return parts


@compiled
def _erase(window: NDArray, x: int, y: int) -> None:
    """Erase the 4-connected object at (x, y) from the window, whose border is background."""
    stack = [(x, y)]
    window[x, y] = 0
    while stack:
        x, y = stack.pop()
        for dx, dy in ((-1, 0), (0, -1), (1, 0), (0, 1)):
            if window[x + dx, y + dy]:
                window[x + dx, y + dy] = 0
                stack.append((x + dx, y + dy))


def warping_error_of_counts(counts: NDArray) -> WarpingScore:
    """Warping error of a stack from the counts (N, 11, 6) of its images.

    The minimum over thresholds 0 .. 0.9, the first of equals. The pixel error's threshold may also be 1.0.
    """
    errors = counts[:, :, 0] + counts[:, :, 1]
    stack = errors.sum(axis=0) / np.maximum(counts[:, :, 2].sum(axis=0), 1)
    best = int(stack[:-1].argmin())
    reference = int(np.searchsorted(THRESHOLDS, pixel_error_of_counts(counts[:, :, 3:]).threshold))
    return WarpingScore(
        value=float(stack[best]),
        threshold=float(THRESHOLDS[best]),
        per_image=tuple((errors[:, best] / np.maximum(counts[:, best, 2], 1)).tolist()),
        at_pixel_error_threshold=float(stack[reference]),
        splits=int(counts[:, best, 0].sum()),
        mergers=int(counts[:, best, 1].sum()),
    )


def warping_error(label: Stack, proposal: Stack, valid: Stack | None = None) -> WarpingScore:
    """Warping error of an image (H, W) or a stack: split and merger pixels by pixels, at the best threshold; 0 is best.

    Args:
        label: foreground where > 0; an image, an array (N, H, W) or a sequence of images.
        proposal: foreground probability in [0, 1], likewise.
        valid: boolean, likewise; where it is false, pixels are never wrong, and they are not counted.

    Raises:
        UserError: stacks that do not match.
    """
    return warping_error_of_counts(np.stack([warping_counts(*images) for images in pairs(label, proposal, valid)]))
