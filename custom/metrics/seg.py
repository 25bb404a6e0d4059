"""SEG, the segmentation score of the Cell Tracking Challenge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .rand import overlaps
from .sweep import Stack, pairs


@dataclass(frozen=True)
class SegScore:
    """SEG of a sequence.

    Attributes:
        value: mean Jaccard index of the reference objects; NaN if there is none.
        objects: number of reference objects.
        per_image: the same mean for each image by itself.
    """

    value: float
    objects: int
    per_image: tuple[float, ...]

    def extras(self) -> dict[str, float]:
        """Further numbers a report needs to be read rightly, by name."""
        return {"objects": self.objects}


def seg_counts(label: NDArray, prediction: NDArray, valid: NDArray | None = None) -> NDArray[np.float64]:
    """Sum of the Jaccard indices of the reference objects of one image, and their number, (2,).

    A reference object and the predicted object that covers more than half of it have their Jaccard index; without
    one it is 0. Objects are identified by label value; unmatched predictions are not penalised.

    Args:
        label: (H, W) whole numbers, reference objects > 0.
        prediction: (H, W) whole numbers, predicted objects > 0.
        valid: (H, W) boolean; where it is false, pixels are taken from both kinds of objects.
    """
    if valid is not None:
        label, prediction = label[valid], prediction[valid]
    labels, reference = _indexed(label)
    numbers, predicted = _indexed(prediction)
    r, p, both = overlaps(reference, predicted)
    sizes_r, sizes_p = np.bincount(reference.ravel()), np.bincount(predicted.ravel())
    matched = (labels[r] > 0) & (numbers[p] > 0) & (2 * both > sizes_r[r])
    jaccard = both / (sizes_r[r] + sizes_p[p] - both)
    return np.array([jaccard[matched].sum(), np.count_nonzero(labels > 0)])


def _indexed(values: NDArray) -> tuple[NDArray, NDArray]:
    """The values that occur, ascending, and the index of each pixel's; small whole numbers need no sorting."""
    if values.dtype.kind in "iu" and values.size and values.min() >= 0 and values.max() < values.size:
        occurs = np.bincount(values.ravel()) > 0
        return np.flatnonzero(occurs), (np.cumsum(occurs) - 1)[values]
    return np.unique(values, return_inverse=True)


def seg_of_counts(counts: NDArray) -> SegScore:
    """SEG of a sequence from the counts (N, 2) of its images."""
    total, *images = (float(total / n) if n else float("nan") for total, n in [counts.sum(axis=0), *counts])
    return SegScore(total, int(counts[:, 1].sum()), tuple(images))


def seg(label: Stack, prediction: Stack, valid: Stack | None = None) -> SegScore:
    """SEG of an image (H, W) or a sequence, the mean over all reference objects; 1 is best.

    Example:
        >>> label = np.array([[1, 1, 0, 2, 2]])
        >>> seg(label, np.array([[5, 5, 0, 6, 0]])).value
        0.5

    Args:
        label: whole numbers, reference objects > 0; an image, an array (N, H, W) or a sequence of images.
        prediction: whole numbers, predicted objects > 0, likewise.
        valid: boolean, likewise; where it is false, pixels are taken from both kinds of objects.

    Raises:
        UserError: stacks that do not match.
    """
    return seg_of_counts(np.stack([seg_counts(*images) for images in pairs(label, prediction, valid)]))
