"""Pixel error of ISBI 2012 (first protocol): 1 - F of the foreground pixels at the best of 11 thresholds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .sweep import THRESHOLDS, Score, Stack, f_score, levels, pairs


def pixel_counts(label: NDArray, proposal: NDArray, valid: NDArray | None = None) -> NDArray[np.int64]:
    """TP, FP and FN of the pixels of one image, (11, 3), one row per threshold.

    Args:
        label: (H, W), foreground where > 0.
        proposal: (H, W), foreground probability.
        valid: (H, W) boolean; pixels where it is false are not counted.
    """
    foreground, level = label > 0, levels(proposal)
    if valid is not None:
        foreground, level = foreground[valid], level[valid]
    # Summed from the highest level down, a histogram of levels counts the pixels above each threshold.
    above = [
        np.bincount(level[mask], minlength=len(THRESHOLDS) + 1)[::-1].cumsum()[::-1]
        for mask in (foreground, ~foreground)
    ]
    tp, fp = above[0][1:], above[1][1:]
    return np.stack([tp, fp, above[0][0] - tp], axis=-1)


def pixel_error_of_counts(counts: NDArray) -> Score:
    """Pixel error of a stack from the counts (N, 11, 3) of its images: of their sum, at the first best threshold."""
    f = f_score(counts.sum(axis=0))
    best = int(f.argmax())
    return Score(float(1 - f[best]), float(THRESHOLDS[best]), tuple((1 - f_score(counts[:, best])).tolist()))


def pixel_error(label: Stack, proposal: Stack, valid: Stack | None = None) -> Score:
    """Pixel error of an image (H, W) or a stack, `1 - max F` over thresholds 0, 0.1 .. 1; 0 is best.

    Example:
        >>> label = np.array([[0, 1, 1, 1]])
        >>> round(pixel_error(label, np.array([[0.1, 0.9, 0.8, 0.05]])).value, 3)
        0.143

    Args:
        label: foreground where > 0; an image, an array (N, H, W) or a sequence of images.
        proposal: foreground probability in [0, 1], likewise.
        valid: boolean, likewise; pixels where it is false are not counted.

    Raises:
        UserError: stacks that do not match.
    """
    return pixel_error_of_counts(np.stack([pixel_counts(*images) for images in pairs(label, proposal, valid)]))
