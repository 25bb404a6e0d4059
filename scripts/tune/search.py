"""Which post-processing segments held-out images best, and what to expect of it on images it was not chosen on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain, product

import numpy as np
from numpy.typing import NDArray

from custom.metrics.seg import seg_counts
from custom.transforms import ProbabilityToInstances
from custom.transforms.postprocessing import Method

METHODS: tuple[Method, ...] = ("components", "watershed", "contact")  # the later one where they are equally good
THRESHOLDS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
HEIGHTS = (2.0, 5.0, 8.0)
SIGMAS = (2.0, 4.0)
GROWS = (0, 1, 2, 3, 4)
SIZE_STEPS = (0.0, 0.1)  # shares of the smallest reference cell
TOLERANCE = 0.002  # differences of SEG that are taken for none


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
        shape = f", sigma {self.sigma:g}, height {self.height:g}" if self.method != "components" else ""
        return f"{self.method}, threshold {self.threshold:g}{shape}, min_size {self.min_size}, grow {self.grow}"


DEFAULT = Setting()


class Search:
    """SEG of settings on a few images, each computed once.

    Args:
        probabilities: foreground probabilities (H, W), one for each image.
        instances: reference ids (H, W), 0 background, -1 ignored.
        own: the model's setting so far.
        contacts: probabilities of contact (H, W) of a model that has them.
        methods: to choose from; None: all that there can be.
    """

    def __init__(
        self,
        probabilities: Sequence[NDArray],
        instances: Sequence[NDArray],
        own: Setting = DEFAULT,
        contacts: Sequence[NDArray] | None = None,
        methods: Sequence[Method] | None = None,
    ) -> None:
        self.probabilities = probabilities
        self.contacts = contacts
        self.instances = instances
        self.own = own
        self.methods = methods or [method for method in METHODS if contacts is not None or method != "contact"]
        self.known: dict[Setting, NDArray[np.float64]] = {}

    def counts(self, setting: Setting) -> NDArray[np.float64]:
        """Sum of Jaccard indices and number of reference objects of each image, (N, 2)."""
        if setting not in self.known:
            divide = ProbabilityToInstances(**asdict(setting))
            found = [np.asarray(divide(*(plane[None] for plane in maps)))[0] for maps in self._maps()]
            pairs = zip(self.instances, found, strict=True)
            self.known[setting] = np.stack([seg_counts(ids, cells, ids >= 0) for ids, cells in pairs])
        return self.known[setting]

    def _maps(self) -> Iterator[tuple[NDArray, ...]]:
        """Of each image the probability and, if there is one, that of contact."""
        return zip(self.probabilities, *([] if self.contacts is None else [self.contacts]), strict=True)

    def seg(self, setting: Setting, images: Sequence[int]) -> float:
        """SEG over all reference objects of the images with these indices."""
        total, number = self.counts(setting)[list(images)].sum(axis=0)
        return float(total / number)

    def sizes(self, images: Sequence[int]) -> list[int]:
        """Values of `min_size` to try, from the sizes of the reference cells; the largest first."""
        cells = [np.unique(self.instances[i][self.instances[i] > 0], return_counts=True)[1] for i in images]
        smallest = min(sizes.min() for sizes in cells if len(sizes))
        return sorted({int(smallest * share) for share in SIZE_STEPS}, reverse=True)

    def near_best(self, settings: Iterable[Setting], images: Sequence[int]) -> list[Setting]:
        """The settings whose SEG on these images is next to that of the best, in the given order."""
        scores = {setting: self.seg(setting, images) for setting in settings}
        return [setting for setting, score in scores.items() if score >= max(scores.values()) - TOLERANCE]

    def choose(self, images: Sequence[int]) -> Setting:
        """The best setting on these images, one question after the other.

        Method, threshold and the watershed's arguments come first. A few images cannot distinguish settings of nearly
        the same SEG, so the middle one of them is taken, and the watershed before components: where cells lie apart
        they agree, and where cells touch that were apart in these images only the watershed divides them; and before it
        contact, which divides by what was learned as well as by shape. Then `grow`, as little as will do. SEG does not
        see invented objects; so of the values of `min_size` that cost nothing the largest is taken. The model's own
        setting stays where it is clearly better than all that, and of these methods.
        """
        best = self.near_best(chain.from_iterable(self.curves().values()), images)
        preferred = max((setting.method for setting in best), key=METHODS.index)
        middle = middle_of([setting for setting in best if setting.method == preferred])
        grown = self.near_best((replace(middle, grow=grow) for grow in GROWS), images)[0]
        found = self.near_best((replace(grown, min_size=n) for n in self.sizes(images)), images)[0]
        if self.own.method in self.methods and self.seg(self.own, images) > self.seg(found, images) + TOLERANCE:
            return self.own
        return found

    def curves(self) -> dict[str, list[Setting]]:
        """The settings of the first question: along the threshold for each method, sigma and height, by name."""
        found: dict[str, list[Setting]] = {}
        for method in self.methods:
            if method == "components":
                found[method] = [Setting(method, threshold) for threshold in THRESHOLDS]
                continue
            for sigma, height in product(SIGMAS, HEIGHTS):
                name = f"{method}, sigma {sigma:g}, height {height:g}"
                found[name] = [Setting(method, threshold, sigma, height) for threshold in THRESHOLDS]
        return found

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


def middle_of(settings: Sequence[Setting]) -> Setting:
    """The one in the middle by threshold; of those, by `sigma`; of those, by `height`."""
    for name in ("threshold", "sigma", "height"):
        values = sorted({getattr(setting, name) for setting in settings})
        settings = [setting for setting in settings if getattr(setting, name) == values[len(values) // 2]]
    return settings[0]
