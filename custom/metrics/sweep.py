"""Common parts of the measures: the sweep over thresholds, the F score, and the result with its threshold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import UserError

# One image (H, W), an array (N, H, W), or a sequence of images (H, W) of any sizes.
Stack: TypeAlias = NDArray | Sequence[NDArray]

# The original tools add 0.1 repeatedly in double precision: the last of the 11 thresholds is 0.9999999999999999.
THRESHOLDS: NDArray[np.float64] = np.array(list(accumulate([0.1] * 10, initial=0.0)))


@dataclass(frozen=True)
class Score:
    """Result of one measure on a stack.

    Attributes:
        value: the score of the whole stack.
        threshold: foreground is where the proposal exceeds it; one threshold for the whole stack.
        per_image: the score of each image by itself at that same threshold.
    """

    value: float
    threshold: float
    per_image: tuple[float, ...]

    def extras(self) -> dict[str, float]:
        """Further numbers a report needs to be read rightly, by name."""
        return {"threshold": self.threshold}


def f_score(counts: ArrayLike) -> NDArray[np.float64]:
    """F = 2PR / (P + R) of counts (..., 3) = (TP, FP, FN).

    P is 1 where nothing is falsely found and R is 1 where nothing is missed, as in the ISBI 2012 tools. F is 0 where
    both are 0 or where a count is NaN.
    """
    tp, fp, fn = np.moveaxis(np.asarray(counts, dtype=np.float64), -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(fp == 0, 1.0, tp / (tp + fp))
        recall = np.where(fn == 0, 1.0, tp / (tp + fn))
        return np.where(precision + recall > 0, 2 * precision * recall / (precision + recall), 0.0)


def levels(proposal: NDArray) -> NDArray[np.intp]:
    """How many of THRESHOLDS each pixel of `proposal` exceeds, so that `proposal > THRESHOLDS[k]` is `levels > k`.

    Compared in double precision. NaN exceeds none, as in any comparison.
    """
    return np.searchsorted(THRESHOLDS, np.nan_to_num(np.asarray(proposal, dtype=np.float64), nan=0.0), side="left")


def sweep(measure: Callable[[NDArray[np.bool_]], ArrayLike], proposal: NDArray) -> NDArray[np.float64]:
    """`measure(proposal > t)` for each threshold t, (11, ...), in threads; equal masks are measured once.

    Args:
        measure: function of a mask (H, W); its results have one shape.
        proposal: (H, W), foreground probability.
    """
    level = levels(proposal)
    # The mask changes after threshold k only if some pixel lies between k and the next one.
    changes = np.bincount(level.ravel(), minlength=len(THRESHOLDS) + 1)[: len(THRESHOLDS)] > 0
    changes[0] = True
    results = in_threads(measure, [level > k for k in np.flatnonzero(changes)])
    return np.array(results, dtype=np.float64)[changes.cumsum() - 1]


def in_threads(function: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
    """`[function(item) for item in items]` on all processors this process may use."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(function, items))


def pairs(
    label: Stack, proposal: Stack, valid: Stack | None = None
) -> list[tuple[NDArray, NDArray, NDArray[np.bool_] | None]]:
    """The images of matching stacks, together: label, proposal and validity (or None), each (H, W).

    Raises:
        UserError: different numbers of images, different shapes in a pair, or no image at all.
    """
    labels, proposals = _images("label", label), _images("proposal", proposal)
    valids = [None] * len(labels) if valid is None else [v.astype(bool) for v in _images("valid", valid)]
    if not len(labels) == len(proposals) == len(valids):
        raise UserError(f"{len(labels)} labels, {len(proposals)} proposals, {len(valids)} masks: give equal numbers")
    for index, (one, *others) in enumerate(zip(labels, proposals, valids, strict=True)):
        if any(other is not None and other.shape != one.shape for other in others):
            shapes = [None if other is None else other.shape for other in others]
            raise UserError(
                f"image {index}: proposal and valid are {shapes}, the label is {one.shape}: make them equal"
            )
    return list(zip(labels, proposals, valids, strict=True))


def _images(name: str, stack: Stack) -> list[NDArray]:
    images = [np.asarray(image) for image in ([stack] if len(stack) and np.ndim(stack[0]) == 1 else stack)]
    if not images:
        raise UserError(f"{name} has no image: give at least one")
    for image in images:
        if image.ndim != 2 or image.size == 0:
            raise UserError(f"{name} has an image of shape {image.shape}: give (H, W) with at least one pixel")
    return images
