"""The measures of each challenge."""

from __future__ import annotations

from numpy.typing import NDArray

from custom.errors import UserError
from custom.metrics import iou, pixel_error, rand_error, seg, v_info, v_rand, warping_error
from custom.metrics.seg import SegScore
from custom.metrics.sweep import Score

ISBI = {
    "pixel_error": pixel_error,
    "iou": iou,
    "rand_error": rand_error,
    "v_rand": v_rand,
    "v_info": v_info,
    "warping_error": warping_error,
}
CTC = {"seg": seg}
Scores = dict[str, Score] | dict[str, SegScore]


def score(challenge: str, predictions: list[NDArray], labels: list[NDArray], ignore: int | None) -> Scores:
    """All measures of a challenge, by name.

    Raises:
        UserError: nothing to score: all pixels are ignored, or there is no reference object.
    """
    valid = None if ignore is None else [label != ignore for label in labels]
    if valid is not None and not any(mask.any() for mask in valid):
        raise UserError(f"--ignore {ignore}: leaves no pixel of the labels; name the value of unlabelled pixels")
    if challenge == "isbi":
        return {name: measure(labels, predictions, valid) for name, measure in ISBI.items()}
    scores = {name: measure(labels, predictions, valid) for name, measure in CTC.items()}
    if scores["seg"].objects == 0:
        raise UserError("--label: has no object; SEG needs at least one reference object")
    return scores
