"""Scores of several classes: each class against all others, and their mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..classes import class_keys
from .pixel_error import pixel_counts
from .sweep import Score, f_score


@dataclass(frozen=True)
class ForegroundScore(Score):
    """Score of the foreground of two classes, with that of the other class beside it, by a word for it."""

    others: dict[str, float]

    def extras(self) -> dict[str, float]:
        return {**super().extras(), **self.others}


@dataclass(frozen=True)
class ClassScore:
    """Result of one measure on a stack of images with several classes.

    A class has no score (NaN) where neither label nor prediction has a pixel of it (no pixel error where the label has
    none), and does not count in the mean.

    Attributes:
        value: mean over the classes.
        classes: score of each class, by a word for it (see `class_keys`); without those that have none.
        per_image: scores of the classes (K,) of each image by itself.
    """

    value: float
    classes: dict[str, float]
    per_image: tuple[tuple[float, ...], ...]

    def extras(self) -> dict[str, float]:
        """The scores of the classes."""
        return self.classes


def class_score(names: Sequence[str], stack: NDArray, images: NDArray) -> ClassScore:
    """The result of scores (K,) of a stack and (N, K) of its images."""
    known = {key: float(score) for key, score in zip(class_keys(names), stack, strict=True) if np.isfinite(score)}
    mean = float(np.mean(list(known.values()))) if known else float("nan")
    return ClassScore(mean, known, tuple(tuple(row) for row in images.tolist()))


def class_pixel_counts(label: NDArray, probability: NDArray, valid: NDArray) -> NDArray[np.int64]:
    """`pixel_counts` of each class against all others, (K, 11, 3), by its own probability.

    Args:
        label: class indices (H, W).
        probability: (K, H, W).
        valid: (H, W) boolean; pixels where it is false are not counted.
    """
    return np.stack([pixel_counts(label == k, one, valid) for k, one in enumerate(probability)])


def class_pixel_errors(counts: NDArray, names: Sequence[str]) -> ClassScore:
    """Pixel error of each class at the best threshold of its own, from counts (N, K, 11, 3)."""

    def errors(counts: NDArray) -> tuple[NDArray, NDArray]:
        f = f_score(counts)
        return np.where(counts[:, 0, 0] + counts[:, 0, 2] > 0, 1 - f.max(axis=-1), np.nan), f.argmax(axis=-1)

    stack, best = errors(counts.sum(axis=0))
    own = np.take_along_axis(counts, best[None, :, None, None], axis=2)[:, :, 0]
    seen = own[..., 0] + own[..., 2] > 0
    return class_score(names, stack, np.where(seen, 1 - f_score(own), np.nan))


def overlap_counts(label: NDArray, mask: NDArray, valid: NDArray, classes: int) -> NDArray[np.int64]:
    """Pixels of each class in label and mask, and in label or mask, (K, 2).

    Args:
        label: class indices (H, W).
        mask: likewise, the prediction.
        valid: (H, W) boolean; pixels where it is false are not counted.
        classes: K.
    """
    pairs = np.bincount(label[valid].astype(np.int64) * classes + mask[valid].astype(np.int64), minlength=classes**2)
    table = pairs.reshape(classes, classes)
    both = np.diag(table)
    return np.stack([both, table.sum(axis=0) + table.sum(axis=1) - both], axis=-1)


def class_ious(counts: NDArray, names: Sequence[str]) -> ClassScore:
    """Intersection over union of each class from counts (N, K, 2)."""
    return class_score(names, _share(counts.sum(axis=0)), _share(counts))


def class_dices(counts: NDArray, names: Sequence[str]) -> ClassScore:
    """Dice coefficient of each class, 2 both / (label + mask), from counts (N, K, 2)."""
    stack, images = _share(counts.sum(axis=0)), _share(counts)
    return class_score(names, 2 * stack / (1 + stack), 2 * images / (1 + images))


def _share(counts: NDArray) -> NDArray[np.float64]:
    both, either = np.moveaxis(counts.astype(np.float64), -1, 0)
    return np.where(either > 0, both / np.maximum(either, 1), np.nan)
