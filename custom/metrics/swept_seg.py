"""SEG of probabilities at a few thresholds: which of them gives the best cells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..constants import IGNORED_INSTANCE
from ..transforms import ProbabilityToInstances
from ..transforms.postprocessing import Method
from .cumulative import StackMetric
from .seg import seg_counts
from .sweep import Score, in_threads


class SweptSeg(StackMetric):
    """SEG of the Cell Tracking Challenge at the best of a few thresholds, the same for all images.

    `y_pred` is a prediction (see `custom.classes`), `y` holds the numbers of the reference objects, 0 for background;
    pixels of `y` with the value `ignore` are left out. At each threshold the cells are those of
    `ProbabilityToInstances`, which are independent of each other and found in threads.

    Args:
        thresholds: in ascending order; of equally good ones the first is taken.
        method, sigma, height, min_size, grow: see `ProbabilityToInstances`.
        ignore: see above.
    """

    def __init__(
        self,
        thresholds: Sequence[float],
        method: Method = "watershed",
        sigma: float = 2.0,
        height: float = 5.0,
        min_size: int = 0,
        grow: int = 0,
        ignore: int = IGNORED_INSTANCE,
    ) -> None:
        super().__init__(self._of_image, self._of_counts, (len(thresholds), 2), ignore)
        self.thresholds = thresholds
        self.rules = [ProbabilityToInstances(t, min_size, grow, method, sigma, height) for t in thresholds]

    def _of_image(self, reference: NDArray, prediction: NDArray, valid: NDArray) -> NDArray[np.float64]:
        def counts(rule: ProbabilityToInstances) -> NDArray[np.float64]:
            return seg_counts(reference, np.asarray(rule(prediction))[0], valid)

        return np.stack(in_threads(counts, self.rules))

    def _of_counts(self, counts: NDArray) -> Score:
        """The best threshold's score; NaN if there is no reference object."""
        with np.errstate(invalid="ignore"):
            stack, images = counts.sum(axis=0), counts[..., 0] / counts[..., 1]
            scores = stack[:, 0] / stack[:, 1]
        best = int(scores.argmax())
        return Score(float(scores[best]), self.thresholds[best], tuple(images[:, best].tolist()))

    def _image(self, prediction: NDArray, reference: NDArray) -> NDArray:
        return self.counts(reference, prediction, reference != self.ignore)
