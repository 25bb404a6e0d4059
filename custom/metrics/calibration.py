"""Expected calibration error: is a probability of 0.8 right in 8 of 10 pixels?

Guo, C. et al. (2017). On Calibration of Modern Neural Networks. ICML, PMLR 70, 1321-1330.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from monai.metrics.calibration import calibration_binning
from numpy.typing import NDArray

BINS = 10
CHUNK = 2**20  # pixels; MONAI counts in float32


@dataclass(frozen=True)
class CalibrationScore:
    """Calibration of a stack.

    Attributes:
        value: expected calibration error of all pixels; 0 is best.
        per_image: that of each image by itself.
    """

    value: float
    per_image: tuple[float, ...]

    def extras(self) -> dict[str, float]:
        """Nothing: the value needs no further number."""
        return {}


def calibration_counts(foreground: NDArray, probability: NDArray, valid: NDArray) -> NDArray[np.float64]:
    """Sums of one image, see `calibration_sums`, (3, 10).

    Args:
        foreground: (H, W) boolean.
        probability: (H, W) of the foreground.
        valid: (H, W) boolean, the pixels that count.
    """
    return calibration_sums(np.asarray(probability)[valid], np.asarray(foreground)[valid])


def calibration_sums(probability: NDArray, foreground: NDArray) -> NDArray[np.float64]:
    """Sum of the probabilities, number of foreground pixels and number of pixels in each of ten bins, (3, 10).

    Args:
        probability: (N,) of the foreground.
        foreground: (N,) boolean.
    """
    sums = np.zeros((3, BINS))
    for start in range(0, len(probability), CHUNK):
        p, y = (torch.from_numpy(np.float32(a[start : start + CHUNK]))[None, None] for a in (probability, foreground))
        mean_p, mean_y, count = (a[0, 0].double().numpy() for a in calibration_binning(p, y, num_bins=BINS))
        sums += np.stack([np.nan_to_num(mean_p) * count, np.nan_to_num(mean_y) * count, count])
    return sums


def calibration_error(sums: NDArray) -> float:
    """Expected calibration error: difference of probability and frequency in a bin, mean over the pixels."""
    return float(np.abs(sums[0] - sums[1]).sum() / max(1, sums[2].sum()))


def calibration_of_counts(counts: NDArray) -> CalibrationScore:
    """The score of images with these sums, (N, 3, 10)."""
    return CalibrationScore(calibration_error(counts.sum(axis=0)), tuple(map(calibration_error, counts)))
