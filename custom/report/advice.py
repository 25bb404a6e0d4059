"""Remarks on the results of a run, and recommendations."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..metrics.calibration import calibration_error
from ..metrics.sweep import THRESHOLDS
from .content import ImageTable, threshold_curves
from .curves import Curves

# name: title, whether higher is better, meaning
MEASURES: dict[str, tuple[str, bool, str]] = {
    "seg": ("SEG", True, "mean overlap (Jaccard index) of the reference objects; an object that is not found counts 0"),
    "iou": ("IoU", True, "overlap of label and prediction: intersection / union of their pixels"),
    "dice": ("Dice", True, "2 x overlap / (label + prediction), mean of the classes"),
    "pixel_error": ("pixel error", False, "1 - F score of the pixels, at the best threshold"),
    "rand_error": ("Rand error", False, "share of pixel pairs wrongly joined or parted: sensitive to merged objects"),
    "warping_error": (
        "warping error",
        False,
        "share of pixels that change the topology: merged, split, invented",
    ),
    "v_rand": ("V_rand", True, "agreement of the objects as pairs of pixels (ISBI 2012, second protocol)"),
    "v_info": ("V_info", True, "agreement of the objects as information (ISBI 2012, second protocol)"),
    "calibration_error": ("calibration error", False, "probability against frequency: 0.03 is good, 0.1 is poor"),
    "val_loss": ("loss", False, "cross entropy, with the weights of the training"),
}
WELL_CALIBRATED, BADLY_CALIBRATED = 0.03, 0.1


def remarks(table: ImageTable, curves: Curves, facts: dict[str, Any] | None, threshold: float = 0.5) -> list[str]:
    """Remarks on a run, most important first; each ends with a recommendation."""
    return [*_on_data(facts), *_on_curves(curves), *_on_objects(table), *_on_probabilities(table, threshold)]


def _on_data(facts: dict[str, Any] | None) -> list[str]:
    if facts is None:
        return []
    found = []
    if facts["leaks"]:
        found.append(
            "The same image is in training and in validation or test, so the scores are too good: "
            "take one of the copies out of dataset.json."
        )
    images = {split["split"]: split["images"] for split in facts["splits"]}
    if images.get("validation", 0) == 1:
        found.append(
            "There is one validation image, which alone decides which weights are best. Move one or two more there."
        )
    return found


def _on_curves(curves: Curves) -> list[str]:
    losses = curves.get("val_loss", ([], []))[1]
    if len(losses) < 4:
        return []
    best, last = int(np.argmin(losses)), len(losses) - 1
    if best == last and losses[-1] < 0.97 * losses[-len(losses) // 4 - 1]:
        return ["The validation loss was still falling at the end: train longer (--max_epochs)."]
    if best < last / 2 and losses[-1] > 1.1 * losses[best]:
        return [
            f"The validation loss was lowest at evaluation {best + 1} of {last + 1} and rose since: the network "
            "overfits the training images. Annotate more images, or train for a "
            "shorter time; the best weights were kept."
        ]
    return []


def _on_objects(table: ImageTable) -> list[str]:
    rows = [row for row in table.rows if row["objects"]]
    total = sum(row["objects"] for row in rows)
    counts = {kind: sum(row["counts"][kind] for row in rows) for kind in ("missed", "split", "merged", "invented")}
    advice = {
        "merged": "a lower grow, a higher threshold or the watershed separates them; in training, a higher w0",
        "split": "a lower threshold, or a larger smoothing of the watershed, joins the parts",
        "missed": "check whether they are faint or cut by the border; a lower threshold or min_size keeps more objects",
        "invented": "a higher min_size drops specks; a higher threshold drops objects that the network is unsure of",
    }
    if not total:
        return []
    kind = max(counts, key=lambda name: counts[name])
    if counts[kind] < max(2, 0.02 * total):
        return []
    share = f"{counts[kind]} for {total} reference objects"
    return [f"The most frequent object error is '{kind}' ({share}): {advice[kind]}."]


def _on_probabilities(table: ImageTable, threshold: float) -> list[str]:
    if not table.bins[2].any():
        return []
    found = []
    iou = np.nan_to_num(threshold_curves(table.pixels)["IoU"])
    best, used = int(iou.argmax()), int(np.abs(THRESHOLDS - threshold).argmin())
    if iou[best] > iou[used] + 0.01:
        found.append(
            f"Threshold {THRESHOLDS[best]:.1f} gives an IoU of {iou[best]:.3f}, "
            f"{THRESHOLDS[used]:.1f} gives {iou[used]:.3f}: choose it on validation images (python -m scripts.tune)."
        )
    error = calibration_error(table.bins)
    if error > BADLY_CALIBRATED:
        found.append(
            f"The probabilities are off by {error:.2f} on average (expected calibration error): use them to rank, "
            "not as probabilities. Balanced class weights and border weights have this effect."
        )
    return found
