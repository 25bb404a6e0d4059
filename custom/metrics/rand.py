"""Rand error of ISBI 2012 (first protocol), restricted to the foreground of the label."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label as components
from scipy.sparse import coo_array

from .sweep import THRESHOLDS, Score, Stack, f_score, pairs, sweep


def overlaps(a: NDArray, b: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Pixels that objects of two label images share: object of `a`, object of `b` and number of pixels, if not 0.

    Args:
        a: non-negative integers, any shape.
        b: likewise, same shape.
    """
    rows, columns = (int(ids.max(initial=0)) + 1 for ids in (a, b))
    if rows * columns <= a.size:  # few objects: counted without sorting
        table = np.bincount(a.ravel().astype(np.int64) * columns + b.ravel(), minlength=rows * columns)
        found = np.flatnonzero(table)
        return found // columns, found % columns, table[found]
    table = coo_array((np.ones(a.size, dtype=np.int64), (a.ravel(), b.ravel())), (rows, columns)).tocsr().tocoo()
    return table.row, table.col, table.data


def restricted(truth: NDArray, segments: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Sizes of the true objects, of the segments, and of their intersections, on the pixels with `truth` > 0.

    Each of those pixels that no segment covers (`segments` is 0) is a segment of its own, of one pixel.
    """
    inside = truth > 0
    _, segment, pixels = overlaps(truth[inside], segments[inside])
    sizes_a = np.bincount(truth[inside])[1:]
    sizes_b = np.bincount(segments[inside], minlength=1)
    singletons = np.ones(sizes_b[0], dtype=np.int64)
    sizes_ab = np.concatenate([pixels[segment > 0], singletons])
    return sizes_a[sizes_a > 0], np.concatenate([sizes_b[1:][sizes_b[1:] > 0], singletons]), sizes_ab


def rand_pairs(truth: NDArray, segments: NDArray) -> NDArray[np.float64]:
    """TP, FP and FN of the ordered pixel pairs in one object of `truth`, in one segment, on the foreground of `truth`.

    Args:
        truth: (H, W) integers, 0 is background.
        segments: (H, W) integers, 0 belongs to no segment.

    Returns:
        (3,); NaN if there is no foreground, as in the original tool, so that F is 0.
    """
    if not truth.any():
        return np.full(3, np.nan)
    s_a, s_b, s_ab = (float(np.square(sizes).sum()) for sizes in restricted(truth, segments))
    return np.array([s_ab, s_b - s_ab, s_a - s_ab])


def true_objects(label: NDArray, valid: NDArray | None) -> NDArray[np.int32]:
    """4-connected components of `label > 0`; ignored pixels become background, which these measures do not count."""
    foreground = label > 0
    return components(foreground if valid is None else foreground & valid)[0]


def rand_counts(label: NDArray, proposal: NDArray, valid: NDArray | None = None) -> NDArray[np.float64]:
    """TP, FP and FN of the pixel pairs of one image, (11, 3), one row per threshold.

    Args:
        label: (H, W), foreground where > 0.
        proposal: (H, W), foreground probability.
        valid: (H, W) boolean; where it is false, the label is taken as background: such pixels are in no pair.
    """
    truth = true_objects(label, valid)
    return sweep(lambda foreground: rand_pairs(truth, components(foreground)[0]), proposal)


def rand_error_of_counts(counts: NDArray) -> Score:
    """Rand error of a stack from the counts (N, 11, 3) of its images: of their sum, at the first best threshold."""
    f = f_score(counts.sum(axis=0))
    best = int(f.argmax())
    return Score(float(1 - f[best]), float(THRESHOLDS[best]), tuple((1 - f_score(counts[:, best])).tolist()))


def rand_error(label: Stack, proposal: Stack, valid: Stack | None = None) -> Score:
    """Foreground-restricted Rand error of an image (H, W) or a stack, `1 - max F` over thresholds; 0 is best.

    It is 1, the worst, if the label of an image has no foreground, where the original tool divides by 0.

    Example:
        >>> label = np.array([[1, 1, 0, 1, 1]])
        >>> round(rand_error(label, np.array([[0.9, 0.9, 0.9, 0.9, 0.9]])).value, 3)
        0.333

    Args:
        label: foreground where > 0; an image, an array (N, H, W) or a sequence of images.
        proposal: foreground probability in [0, 1], likewise.
        valid: boolean, likewise; where it is false, the label is taken as background, which is not counted.

    Raises:
        UserError: stacks that do not match.
    """
    return rand_error_of_counts(np.stack([rand_counts(*images) for images in pairs(label, proposal, valid)]))
