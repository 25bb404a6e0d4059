"""The table of images of a report, and sums over all images."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..metrics.calibration import BINS, calibration_sums
from ..metrics.object_errors import KINDS, object_errors
from ..metrics.pixel_error import pixel_counts
from ..metrics.sweep import THRESHOLDS
from .layers import IGNORED, Picture, make_views, uncertainty

MAX_PICTURES = 30
MAX_BYTES = 17_000_000  # of all pictures together; the rest of the page is small
MAX_LISTED = 60  # objects of one image


class ImageTable:
    """The images of a report: one row each, pictures of the worst, and sums over all of them.

    Args:
        objects: whether label and prediction are instance maps; otherwise they are class maps, and with two classes the
            4-connected components of the foreground are the objects, as in the Rand error.
        classes: number of classes.

    Attributes:
        rows: one row per image, worst first.
    """

    def __init__(self, objects: bool, classes: int = 2) -> None:
        self.objects = objects
        self.components = not objects and classes == 2
        self.rows: list[dict[str, Any]] = []
        self.pixels = np.zeros((len(THRESHOLDS), 3), np.int64)
        self.bins = np.zeros((3, BINS))

    def add(self, picture: Picture) -> dict[str, Any]:
        """Add an image and return its row; the picture itself is not kept."""
        if self.components:
            picture = _with_components(picture)
        elif self.objects:
            picture = _with_ids_that_fit(picture)
        row: dict[str, Any] = {
            "name": picture.name,
            "height": picture.prediction.shape[0],
            "width": picture.prediction.shape[1],
            "labelled": picture.label is not None,
            "scores": {name: float(value) for name, value in picture.scores.items() if np.isfinite(value)},
            "uncertainty": float(uncertainty(picture.probability).mean()),
            "objects": None,
            "counts": {},
            "errors": [],
            "views": [],
        }
        if picture.label is not None:
            row["wrong"] = float(picture.wrong.sum() / max(1, picture.valid.sum()))
            self.pixels += pixel_counts(picture.label > 0, picture.foreground, picture.valid)
            self.bins += calibration_sums(picture.foreground[picture.valid], picture.label[picture.valid] > 0)
            if self.objects or self.components:
                errors = object_errors(picture.label, picture.prediction, picture.valid)
                counts = Counter(error.kind for error in errors)
                row["objects"] = len(np.unique(picture.label[picture.label > 0]))
                row["counts"] = {kind: counts[kind] for kind in KINDS}
                row["errors"] = [asdict(error) for error in _shared_out(errors)]
        self.rows.append(row)
        self.sort()
        if any(shown is row for shown in self.rows[:MAX_PICTURES]):
            row["views"] = make_views(picture)
        self._stay_small()
        return row

    def sort(self) -> None:
        """Put the worst image first, after scores have changed."""
        self.rows.sort(key=badness, reverse=True)

    def _stay_small(self) -> None:
        """Drop the pictures of the best images beyond the 30th, or if all of them exceed 17 MB."""
        total = 0
        for rank, row in enumerate(self.rows):
            total += sum(len(uri) for view in row["views"] for uri in view["layers"].values())
            if rank >= MAX_PICTURES or (total > MAX_BYTES and rank > 0):
                row["views"] = []

    @property
    def measures(self) -> list[str]:
        """Names of the measures that the rows have, the main one first."""
        names = {name: None for row in self.rows for name in row["scores"]}
        return sorted(names, key=lambda name: ["seg", "pixel_error", "iou", "dice", *names].index(name))


def badness(row: dict[str, Any]) -> tuple[bool, float]:
    """Sort key of images: SEG, pixel error or the share of wrong pixels; uncertainty for those without a label."""
    scores = row["scores"]
    if "seg" in scores:
        return True, -scores["seg"]
    if "pixel_error" in scores:
        return True, scores["pixel_error"]
    return (True, row["wrong"]) if row["labelled"] else (False, row["uncertainty"])


def threshold_curves(counts: NDArray) -> dict[str, list[float]]:
    """IoU, precision and recall of the foreground at each of `THRESHOLDS`, of summed counts (11, 3) of TP, FP, FN."""
    tp, fp, fn = counts.T.astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        curves = {"IoU": tp / (tp + fp + fn), "precision": tp / (tp + fp), "recall": tp / (tp + fn)}
    return {name: values.tolist() for name, values in curves.items()}


def _with_components(picture: Picture) -> Picture:
    label = picture.label
    if label is not None:
        label = np.where(label < 0, -1, ndimage.label(label > 0)[0])
    return replace(picture, prediction=ndimage.label(picture.prediction > 0)[0], label=label)


def _with_ids_that_fit(picture: Picture) -> Picture:
    """Objects numbered 1, 2, ... where an id is too large for a layer."""
    label = picture.label if picture.label is None else _small_ids(picture.label)
    return replace(picture, prediction=_small_ids(picture.prediction), label=label)


def _small_ids(ids: NDArray) -> NDArray:
    if ids.max(initial=0) < IGNORED:
        return ids
    inside = ids > 0
    small = np.where(inside, 0, ids)
    small[inside] = np.unique(ids[inside], return_inverse=True)[1] + 1
    return small


def _shared_out(errors: list[Any]) -> list[Any]:
    """At most `MAX_LISTED` errors, the largest of each kind, so that no kind crowds out another."""
    each = MAX_LISTED // len(KINDS)
    return [error for kind in KINDS for error in [e for e in errors if e.kind == kind][:each]]
