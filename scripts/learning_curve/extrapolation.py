"""The power law that errors follow as data grow, and what it says of more data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import curve_fit

FEWEST = 4  # numbers of images that the three parameters are fitted to


@dataclass(frozen=True)
class PowerLaw:
    """error(n) = floor + height * n ** -rate, for n images.

    Such curves describe how the error of a network falls with the number of training examples in many fields
    (Hestness, J. et al. 2017, Deep Learning Scaling is Predictable, Empirically, arXiv:1712.00409).
    """

    floor: float
    height: float
    rate: float

    def __call__(self, images: float) -> float:
        """The error expected of this many images."""
        return float(self.floor + self.height * images**-self.rate)


def fit(images: Sequence[int], errors: Sequence[float]) -> PowerLaw | None:
    """The power law nearest to measured errors by least squares; None for fewer than four numbers of images.

    Args:
        images: how many images each error is of; a number may come several times.
        errors: 1 - score, in [0, 1].
    """
    if len(set(images)) < FEWEST:
        return None
    n, y = np.asarray(images, dtype=float), np.asarray(errors, dtype=float)

    def law(x: np.ndarray, floor: float, height: float, rate: float) -> np.ndarray:
        return np.asarray(floor + height * x**-rate)

    start = (0.5 * y.min(), max(y.max() - 0.5 * y.min(), 1e-3), 0.5)
    found, _ = curve_fit(law, n, y, p0=start, bounds=((0, 0, 0.05), (1, 1, 3)), max_nfev=10_000)
    return PowerLaw(*map(float, found))
