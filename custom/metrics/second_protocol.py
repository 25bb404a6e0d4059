"""V_rand and V_info, the scores of the ISBI 2012 leaderboard since 2013 (second protocol)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .rand import rand_pairs, restricted, true_objects
from .sweep import THRESHOLDS, Score, Stack, f_score, pairs, sweep
from .thinning import thinned


def v_rand_scores(label: NDArray, proposal: NDArray, valid: NDArray | None = None) -> NDArray[np.float64]:
    """F score of the pixel pairs after thinning, of one image at each threshold, (11,).

    Args:
        label: (H, W), foreground where > 0.
        proposal: (H, W), foreground probability.
        valid: (H, W) boolean; where it is false, the label is taken as background, which is not counted.
    """
    truth = true_objects(label, valid)
    return sweep(lambda foreground: f_score(rand_pairs(truth, thinned(foreground))), proposal)


def v_info_scores(label: NDArray, proposal: NDArray, valid: NDArray | None = None) -> NDArray[np.float64]:
    """F score of the information after thinning, of one image at each threshold, (11,); else as `v_rand_scores`."""
    truth = true_objects(label, valid)
    return sweep(lambda foreground: information_f(truth, thinned(foreground)), proposal)


def information_f(truth: NDArray, segments: NDArray) -> float:
    """F = 2PR / (P + R) on the foreground of `truth`, P = I / H(truth), R = I / H(segments), I the mutual information.

    Args:
        truth: (H, W) integers, 0 is background.
        segments: (H, W) integers; pixels with 0 are segments of one pixel.

    Returns:
        F in [0, 1]; 0 if there is no foreground or only one object or segment.
    """
    if not truth.any():
        return 0.0
    h_a, h_b, h_ab = (_entropy(sizes) for sizes in restricted(truth, segments))
    information = max(h_a + h_b - h_ab, 0.0)  # Rounding may take it below 0.
    if h_a == 0 or h_b == 0 or information == 0:
        return 0.0
    precision, recall = information / h_a, information / h_b
    return 2 * precision * recall / (precision + recall)


def _entropy(sizes: NDArray) -> float:
    p = sizes / sizes.sum()
    return float(-(p * np.log(p)).sum())


def v_of_scores(scores: NDArray) -> Score:
    """V of a stack from the scores (N, 11) of its images: the best mean over them, at the first best threshold."""
    mean = scores.mean(axis=0)
    best = int(mean.argmax())
    return Score(float(mean[best]), float(THRESHOLDS[best]), tuple(scores[:, best].tolist()))


def v_rand(label: Stack, proposal: Stack, valid: Stack | None = None) -> Score:
    """V_rand of an image (H, W) or a stack, the best mean F over the images; 1 is best.

    An image whose label has no foreground counts as 0.

    Args:
        label: foreground where > 0; an image, an array (N, H, W) or a sequence of images.
        proposal: foreground probability in [0, 1], likewise.
        valid: boolean, likewise; where it is false, the label is taken as background, which is not counted.

    Raises:
        UserError: stacks that do not match.
    """
    return _best(v_rand_scores, label, proposal, valid)


def v_info(label: Stack, proposal: Stack, valid: Stack | None = None) -> Score:
    """V_info of an image (H, W) or a stack, the best mean F over the images; 1 is best. Arguments as `v_rand`."""
    return _best(v_info_scores, label, proposal, valid)


def _best(scores: Callable[..., NDArray], label: Stack, proposal: Stack, valid: Stack | None) -> Score:
    return v_of_scores(np.stack([scores(*images) for images in pairs(label, proposal, valid)]))
