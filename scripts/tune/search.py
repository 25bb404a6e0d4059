"""Which post-processing segments held-out images best, and what to expect of it on images it was not chosen on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import product

import numpy as np
from numpy.typing import NDArray

from custom.metrics.seg import seg_counts
from custom.transforms import ProbabilityToInstances
from custom.transforms.postprocessing import Method

THRESHOLDS = (0.2, 0.3, 0.4, 0.5, 0.6)
HEIGHTS = (1.0, 3.0, 5.0, 8.0)
SIGMAS = (2.0, 4.0)
GROWS = (0, 1, 2, 3, 4)
SIZE_STEPS = (0.0, 0.1, 0.25, 0.5)  # shares of the smallest reference cell
TOLERANCE = 0.001  # SEG that a larger min_size may cost


@dataclass(frozen=True)
class Setting:
    """Arguments of `ProbabilityToInstances`."""

    method: Method = "components"
    threshold: float = 0.5
    sigma: float = 2.0
    height: float = 5.0
    min_size: int = 0
    grow: int = 0

    def __str__(self) -> str:
        shape = f", sigma {self.sigma:g}, height {self.height:g}" if self.method == "watershed" else ""
        return f"{self.method}, threshold {self.threshold:g}{shape}, min_size {self.min_size}, grow {self.grow}"


class Search:
    """SEG of settings on a few images, each computed once.

    Args:
        probabilities: foreground probabilities (H, W), one for each image.
        instances: reference ids (H, W), 0 background, -1 ignored.
    """

    def __init__(self, probabilities: Sequence[NDArray], instances: Sequence[NDArray]) -> None:
        self.probabilities = probabilities
        self.instances = instances
        self.known: dict[Setting, NDArray[np.float64]] = {}

    def counts(self, setting: Setting) -> NDArray[np.float64]:
        """Sum of Jaccard indices and number of reference objects of each image, (N, 2)."""
        if setting not in self.known:
            divide = ProbabilityToInstances(**asdict(setting))
            pairs = zip(self.instances, self.probabilities, strict=True)
            cells = [(ids, np.asarray(divide(probability[None]))[0]) for ids, probability in pairs]
            self.known[setting] = np.stack([seg_counts(ids, found, ids >= 0) for ids, found in cells])
        return self.known[setting]

    def seg(self, setting: Setting, images: Sequence[int]) -> float:
        """SEG over all reference objects of the images with these indices."""
        total, number = self.counts(setting)[list(images)].sum(axis=0)
        return float(total / number)

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Values of `min_size` to try, from the sizes of the reference cells; the largest first."""
        smallest = min(np.bincount(ids[ids > 0])[np.unique(ids[ids > 0])].min() for ids in self.instances)
        return tuple(sorted({int(smallest * share) for share in SIZE_STEPS}, reverse=True))

    def choose(self, images: Sequence[int]) -> Setting:
        """The best setting on these images, one question after the other.

        Method, threshold and the watershed's arguments first, then `grow`. SEG asks for no more than the reference
        objects and so does not see invented ones; of the values of `min_size` that cost next to nothing the largest is
        taken.
        """
        best = max(first_stage(), key=lambda s: self.seg(s, images))
        best = max((replace(best, grow=grow) for grow in GROWS), key=lambda s: self.seg(s, images))
        least = self.seg(best, images) - TOLERANCE
        return next(s for n in self.sizes if self.seg(s := replace(best, min_size=n), images) >= least)

    def cross_validated(self) -> tuple[float, list[Setting]]:
        """SEG when each image is segmented by the setting chosen on all others, and these settings.

        With a single image there is nothing to leave out, and the value is NaN.
        """
        everything = range(len(self.instances))
        if len(everything) < 2:
            return float("nan"), []
        chosen = [self.choose([i for i in everything if i != left_out]) for left_out in everything]
        counts = np.stack([self.counts(setting)[i] for i, setting in enumerate(chosen)])
        total, number = counts.sum(axis=0)
        return float(total / number), chosen


def first_stage() -> Iterator[Setting]:
    """The settings of the first question; of equal ones the simpler comes first."""
    for threshold in THRESHOLDS:
        yield Setting("components", threshold)
    for threshold, sigma, height in product(THRESHOLDS, SIGMAS, HEIGHTS):
        yield Setting("watershed", threshold, sigma, height)
