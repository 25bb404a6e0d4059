"""From foreground probability to instances: connected components, or a watershed seeded by shape or by contact."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Literal, get_args

import numpy as np
import torch
from monai.config import KeysCollection, NdarrayOrTensor
from monai.transforms import MapTransform, Transform
from monai.utils import TransformBackends, convert_to_dst_type
from numpy.typing import NDArray
from scipy import ndimage
from skimage.morphology import h_maxima
from skimage.segmentation import expand_labels, watershed

from ..classes import foreground_of
from ..errors import UserError
from .arguments import check_choice, check_range
from .instances import EIGHT_NEIGHBOURS, check_single, near_another, to_plane

Method = Literal["components", "watershed", "contact"]
METHODS: tuple[str, ...] = get_args(Method)

ROUNDING = 1e-3  # averaged or half-precision probabilities may exceed [0, 1] by a rounding error


def _remove_small(instances: NDArray[np.int32], min_size: int) -> NDArray[np.int32]:
    """Drop instances of fewer than `min_size` pixels and number the others from 1, in the same order."""
    keep = np.bincount(instances.ravel()) >= min_size
    keep[0] = False
    return np.where(keep, np.cumsum(keep), 0).astype(np.int32)[instances]


def _fill_holes(instances: NDArray[np.int32]) -> NDArray[np.int32]:
    """Fill background that is enclosed by a single instance.

    The border around a cell inside another one is enclosed by both, and has to stay. Only pixels of holes are looked
    at: `ndimage.binary_fill_holes` of all cells and filters that find the owners took up to 20 times as long.
    """
    outside, count = ndimage.label(instances == 0, EIGHT_NEIGHBOURS)
    enclosed = np.ones(count + 1, dtype=bool)
    enclosed[[0, *outside[0], *outside[-1], *outside[:, 0], *outside[:, -1]]] = False
    rows, columns = np.nonzero(enclosed[outside])
    if not len(rows):
        return instances
    hole = outside[rows, columns]
    beside = np.stack([instances[rows + i, columns + j] for i in (-1, 0, 1) for j in (-1, 0, 1)])
    highest, lowest = np.zeros(count + 1, np.int32), np.full(count + 1, np.iinfo(np.int32).max)
    np.maximum.at(highest, hole, beside.max(axis=0))
    np.minimum.at(lowest, hole, np.where(beside > 0, beside, lowest[0]).min(axis=0))
    filled = instances.copy()
    filled[rows, columns] = np.where(highest == lowest, highest, 0)[hole]
    return filled


def _seeds(elevation: NDArray[np.float64], components: NDArray[np.int32], height: float) -> NDArray[np.int32]:
    """One seed for each maximum that rises `height` above the saddle to a higher one, at least one per component.

    A component without such a maximum is its own seed, so that no component is lost.
    """
    peaks = h_maxima(elevation, height).astype(bool) & (components > 0)
    without = np.bincount(components[peaks], minlength=components.max() + 1) == 0
    without[0] = False
    seeds, count = ndimage.label(peaks, EIGHT_NEIGHBOURS)
    return np.where(without[components], components + count, seeds).astype(np.int32)


def _split(
    components: NDArray[np.int32],
    inside: NDArray[np.bool_],
    probability: NDArray[np.floating],
    sigma: float,
    height: float,
) -> NDArray[np.int32]:
    """Divide components by a watershed on the smoothed distance to what is not `inside`, times the probability."""
    mask = components > 0
    if inside.all() or not mask.any():  # without an outside there are no distances to it
        return components
    elevation = ndimage.gaussian_filter(ndimage.distance_transform_edt(inside) * probability, sigma) * mask
    return watershed(-elevation, _seeds(elevation, components, height), mask=mask).astype(np.int32)


def regrow(instances: NDArray[np.int32], grow: int) -> NDArray[np.int32]:
    """Let instances (H, W) take the background nearest to them, up to `grow` pixels, where they come close to others.

    A pixel depends on those at most `2 * grow` rows and columns away.
    """
    if grow == 0:
        return instances
    grown = expand_labels(instances, distance=grow)
    return np.where(near_another(grown, 2 * grow + 1), grown, instances)


def _checked(probability: NdarrayOrTensor, name: str) -> NDArray[np.floating]:
    """The plane of a probability (1, H, W); `UserError` if a value is outside [0, 1]."""
    plane = to_plane(probability, name)
    low, high = plane.min(), plane.max()
    if not (low >= -ROUNDING and high <= 1 + ROUNDING):
        raise UserError(f"{name}: got values from {low} to {high}, expected 0 to 1 (soft-max before this)")
    return plane


class ProbabilityToInstances(Transform):
    """Cells from foreground probability: threshold, fill holes, separate cells, remove small ones, grow.

    Method "components": each 4-connected component is a cell. Method "watershed" also divides components at their
    necks: the elevation of a pixel is its distance to the background times its probability, smoothed by a Gaussian of
    `sigma`; a maximum that rises `height` above the saddle to any higher one is the seed of a cell, and a watershed of
    the inverted elevation assigns the pixels of the component to the seeds. For separate, convex cells both methods
    agree; every component is at least one cell.

    Method "contact" is for networks trained with a class of contact between cells. It divides components in the same
    way, but the distance is that to background or contact, and the probability that of the cell without contact: so
    the seeds are what contact separates, and they grow over all of the foreground.

    Holes are filled component by component: a hole is background enclosed by a single component (8-connected, the
    counterpart of 4-connected cells). `min_size` is applied before that, so that specks inside a hole do not keep it
    open, and again to the parts found by the watershed.

    `grow` reverts the border between touching cells that `InstancesToClasses` makes: each cell is extended to the
    background nearest to it, up to `grow` pixels, but only where another cell, extended likewise, is within `grow`
    pixels. Outlines that face open background are not changed. Grown cells touch but stay distinct. A border of
    `border_width` b is closed by `grow` (b - 1) / 2. Every gap of up to `2 grow` pixels is closed, also between cells
    that do not touch in reality, so for data with narrow natural gaps compare the SEG with and without.

    Example:
        >>> probability = np.array([[[0.9, 0.8, 0.1, 0.7]]])
        >>> ProbabilityToInstances(threshold=0.5)(probability)[0, 0].tolist()
        [1, 1, 0, 2]

    Args:
        threshold: a pixel is foreground from this probability on (as in MONAI's `AsDiscrete`).
        min_size: smallest number of pixels of a cell; 0 keeps all.
        grow: distance in pixels; 0 does not change the cells.
        method: "components", "watershed" or "contact".
        sigma: standard deviation of the Gaussian in pixels; 0 for none (not for "components").
        height: least rise of a seed in pixels, above 0; larger values divide less (not for "components").

    Raises:
        UserError: an argument is out of range.
    """

    backend = [TransformBackends.NUMPY]  # noqa: RUF012 (MONAI's own attribute)

    def __init__(
        self,
        threshold: float = 0.5,
        min_size: int = 0,
        grow: int = 0,
        method: Method = "components",
        sigma: float = 2.0,
        height: float = 5.0,
    ) -> None:
        if not 0 < threshold <= 1:
            raise UserError(f"threshold: got {threshold}, expected a probability above 0 and at most 1")
        if min_size < 0 or grow < 0:
            raise UserError(f"min_size, grow: got {min_size}, {grow}, expected numbers of pixels, not below 0")
        if not 0 < height < np.inf:
            raise UserError(f"height: got {height}, expected a finite number of pixels above 0")
        self.threshold = threshold
        self.min_size = min_size
        self.grow = grow
        self.method = check_choice("method", method, METHODS)
        self.sigma = check_range("sigma", sigma)
        self.height = float(height)

    def __call__(self, probability: NdarrayOrTensor, contact: NdarrayOrTensor | None = None) -> NdarrayOrTensor:
        """
        Args:
            probability: foreground probability (1, H, W) in [0, 1], any float type; a mask of 0 and 1 will do too. Of
                more than two classes, the probabilities (K, H, W) of all, see `custom.classes.foreground_of`.
            contact: probability of contact (1, H, W), which the foreground includes; only for the method "contact".

        Returns:
            Instance ids (1, H, W) int32 in the container of the input: 0 background, cells consecutive from 1.

        Raises:
            TypeError: neither a NumPy array nor a tensor.
            UserError: wrong shape, a value outside [0, 1] (or NaN), or no contact for the method "contact".
        """
        several = isinstance(probability, np.ndarray | torch.Tensor) and probability.ndim == 3 and len(probability) > 2
        probability = foreground_of(probability) if several else probability
        plane = _checked(probability, "probability")
        components = ndimage.label(plane >= self.threshold)[0].astype(np.int32)
        instances = _fill_holes(_remove_small(components, self.min_size))
        if self.method != "components":
            inside = instances > 0
            if self.method == "contact":
                near = self._contact(contact, plane.shape)
                inside &= (2 * near <= plane) | (plane < self.threshold)  # filled holes stay inside
                plane = np.maximum(plane - near, 0)  # not below it by rounding
            instances = _remove_small(_split(instances, inside, plane, self.sigma, self.height), self.min_size)
        return convert_to_dst_type(regrow(instances, self.grow)[None], probability, dtype=np.int32)[0]

    def _contact(self, contact: NdarrayOrTensor | None, shape: tuple[int, ...]) -> NDArray[np.floating]:
        if contact is None:
            raise UserError(f'method: "contact" needs the probability of contact; give another of {", ".join(METHODS)}')
        plane = _checked(contact, "contact")
        if plane.shape != shape:
            raise UserError(f"contact: got size {plane.shape}, expected {shape} as the probability has")
        return plane


class ProbabilityToInstancesd(MapTransform):
    """Dictionary version of `ProbabilityToInstances`: the probability is kept, the ids are added under another key.

    Example:
        >>> item = {"pred": np.array([[[0.9, 0.2, 0.8, 0.7]]], np.float32)}
        >>> ProbabilityToInstancesd("pred", threshold=0.5)(item)["instance"].tolist()
        [[[1, 0, 2, 2]]]

    Args:
        keys: the one key that holds the foreground probability.
        threshold, min_size, grow, method, sigma, height: see `ProbabilityToInstances`.
        instance_key: key of the ids, int32 (1, H, W).
        contact_key: key of the probability of contact, used if present.
        allow_missing_keys: return dictionaries without the key unchanged.

    Raises:
        UserError: a parameter out of range, or more than one key.
    """

    backend = ProbabilityToInstances.backend

    def __init__(
        self,
        keys: KeysCollection,
        threshold: float = 0.5,
        min_size: int = 0,
        grow: int = 0,
        method: Method = "components",
        sigma: float = 2.0,
        height: float = 5.0,
        instance_key: str = "instance",
        allow_missing_keys: bool = False,
        contact_key: str = "contact",
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        check_single(self.keys, instance_key)
        self.instance_key = instance_key
        self.contact_key = contact_key
        self.convert = ProbabilityToInstances(threshold, min_size, grow, method, sigma, height)

    def __call__(self, data: Mapping[Hashable, NdarrayOrTensor]) -> dict[Hashable, NdarrayOrTensor]:
        d = dict(data)
        for key in self.key_iterator(d):
            d[self.instance_key] = self.convert(d[key], d.get(self.contact_key))
        return d


ProbabilityToInstancesD = ProbabilityToInstancesDict = ProbabilityToInstancesd
