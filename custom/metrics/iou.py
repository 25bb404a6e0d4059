"""Intersection over union of the foreground at one threshold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .sweep import Score, Stack, pairs

THRESHOLD = 0.5


def iou_counts(
    label: NDArray, proposal: NDArray, valid: NDArray | None = None, threshold: float = THRESHOLD
) -> NDArray[np.int64]:
    """Pixels in the intersection and in the union of `label > 0` and `proposal > threshold` of one image, (2,).

    All arguments are (H, W); pixels where `valid` is false are not counted.
    """
    label, proposal = label > 0, np.asarray(proposal, dtype=np.float64) > threshold
    inside = np.ones_like(label) if valid is None else valid
    return np.array([np.count_nonzero(label & proposal & inside), np.count_nonzero((label | proposal) & inside)])


def iou_of_counts(counts: NDArray, threshold: float = THRESHOLD) -> Score:
    """IoU of a stack from the counts (N, 2) of its images: of the sums, and of each image by itself."""
    stack, *images = (1.0 if union == 0 else float(both / union) for both, union in [counts.sum(axis=0), *counts])
    return Score(stack, threshold, tuple(images))


def iou(label: Stack, proposal: Stack, valid: Stack | None = None, threshold: float = THRESHOLD) -> Score:
    """IoU of an image (H, W) or a stack at one threshold; 1 is best, also if neither has any foreground.

    Example:
        >>> label = np.array([[0, 1, 1, 1]])
        >>> round(iou(label, np.array([[0.1, 0.9, 0.8, 0.2]])).value, 3)
        0.667

    Args:
        label: foreground where > 0; an image, an array (N, H, W) or a sequence of images.
        proposal: foreground probability in [0, 1], likewise.
        valid: boolean, likewise; pixels where it is false are not counted.
        threshold: foreground is where the proposal exceeds it.

    Raises:
        UserError: stacks that do not match.
    """
    counts = [iou_counts(*images, threshold) for images in pairs(label, proposal, valid)]
    return iou_of_counts(np.stack(counts), threshold)
