"""The paper's pixel weights: balance of the classes, and emphasis on the narrow borders between cells."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence

import numpy as np
from monai.config import KeysCollection, NdarrayOrTensor
from monai.transforms import MapTransform, Transform
from monai.utils import TransformBackends, convert_to_dst_type
from numpy.typing import NDArray
from scipy import ndimage

from ..compiled import compiled
from ..constants import IGNORED
from ..data.scale import check_scale
from ..errors import UserError
from .instances import as_instance_array, check_single, to_integers

NEGLIGIBLE = 1e-6  # border terms below this share of w0 are 0
BAND = 256  # rows processed at a time, to bound the memory of the distance tables
MAX_CLASS = 255


@compiled
def _insert(d1, cell1, d2, cell2, d, cell):
    """The two nearest distinct cells after `cell` was seen at distance `d`."""
    if cell == cell1:
        return min(d, d1), cell1, d2, cell2
    if d < d1:
        return d, cell, d1, cell1
    if d < d2:
        return d1, cell1, d, cell
    return d1, cell1, d2, cell2


@compiled
def _nearest_in_column(cells, far):
    """The two nearest distinct cells of each pixel's column: distances up to `far`, ids (0: none), both (H, W, 2)."""
    height, width = cells.shape
    distance = np.full((height, width, 2), far, np.int32)
    nearest = np.zeros((height, width, 2), np.int32)
    for step in (1, -1):
        first, last = (0, height) if step == 1 else (height - 1, -1)
        for y in range(first, last, step):
            for x in range(width):
                d1, cell1, d2, cell2 = distance[y, x, 0], nearest[y, x, 0], distance[y, x, 1], nearest[y, x, 1]
                if cells[y, x] > 0:
                    d1, cell1, d2, cell2 = _insert(d1, cell1, d2, cell2, 0, cells[y, x])
                if y != first:
                    for k in range(2):
                        d = min(distance[y - step, x, k] + 1, far)
                        d1, cell1, d2, cell2 = _insert(d1, cell1, d2, cell2, d, nearest[y - step, x, k])
                distance[y, x, 0], nearest[y, x, 0], distance[y, x, 1], nearest[y, x, 1] = d1, cell1, d2, cell2
    return distance, nearest


@compiled
def _search_rows(distance, nearest, wanted, sigma, reach):
    """exp(-(d1 + d2)^2 / (2 sigma^2)) on the wanted pixels where d1 + d2 < reach, else 0: (H, W) float32.

    Each row is searched outwards through its columns' nearest cells. Columns dx away contain nothing nearer than dx,
    so the search ends when dx reaches d2 (both are final), or when no new pair can be within reach.
    """
    height, width = wanted.shape
    border = np.zeros((height, width), np.float32)
    for y in range(height):
        for x in range(width):
            if not wanted[y, x]:
                continue
            d1 = d2 = (int(reach) + 1) ** 2  # squared, beyond reach
            cell1 = cell2 = dx = 0
            while dx * dx < d2 and dx + min(dx, math.sqrt(d1)) < reach:
                for column in (x - dx, x + dx):
                    if 0 <= column < width:
                        for k in range(2):
                            d = dx * dx + distance[y, column, k] ** 2
                            d1, cell1, d2, cell2 = _insert(d1, cell1, d2, cell2, d, nearest[y, column, k])
                dx += 1
            total = math.sqrt(d1) + math.sqrt(d2)
            if total < reach:
                border[y, x] = math.exp(-total * total / (2 * sigma * sigma))
    return border


def border_term(cells: NDArray[np.int32], wanted: NDArray[np.bool_], sigma: float) -> NDArray[np.float32]:
    """exp(-(d1 + d2)^2 / (2 sigma^2)) of the paper on the wanted pixels, 0 elsewhere.

    d1 and d2 are the Euclidean distances, in pixels, to the nearest and the second nearest cell: to the cell's nearest
    pixel, thus 0 inside it. From d1 + d2 = sigma sqrt(2 ln 1e6) on (26.3 px at sigma 5) the term is below 1e-6 and set
    to 0; for smaller distances it is exact. The time is proportional to the number of pixels, whatever the number of
    cells, and the working memory to the width.

    Args:
        cells: ids (H, W), positive in a cell.
        wanted: the pixels to compute (H, W).
        sigma: width of the emphasis, in pixels.

    Returns:
        (H, W) float32.
    """
    reach = sigma * math.sqrt(2 * math.log(1 / NEGLIGIBLE))
    far = int(reach) + 1
    border = np.empty(cells.shape, np.float32)
    for start in range(0, len(cells), BAND):
        rows = slice(start, start + BAND)
        top = max(start - far, 0)
        distance, nearest = _nearest_in_column(cells[top : rows.stop + far], far)
        inner = slice(start - top, rows.stop - top)
        border[rows] = _search_rows(distance[inner], nearest[inner], wanted[rows], sigma, reach)
    return border


def _balance(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Weight of each class from its pixel count: largest count / own count; 1 for a class without pixels."""
    return np.where(counts > 0, counts.max() / np.maximum(counts, 1), 1.0)


def class_weights(labels: Iterable[NdarrayOrTensor], ignore: int = IGNORED) -> list[float]:
    """Weights that balance the classes over a whole data set, for `WeightMap(class_weights=...)`.

    Args:
        labels: class labels (1, H, W), of any sizes; each is read once.
        ignore: label to ignore.

    Returns:
        One weight per class up to the highest one seen: 1 for the most frequent, (its count / own count) for the
        others, 1 for a class never seen.

    Raises:
        TypeError: a label is neither a NumPy array nor a tensor.
        UserError: a label has the wrong shape, fractions or values outside 0..255; or all pixels are ignored.
    """
    counts = np.zeros(MAX_CLASS + 1, np.int64)
    for label in labels:
        classes = to_integers(label, "labels", lowest=0, highest=MAX_CLASS)
        counts += np.bincount(classes.ravel(), minlength=len(counts))
    counts[ignore] = 0
    if not counts.any():
        raise UserError("labels: got no pixel of any class, expected at least one label that is not all ignored")
    return _balance(counts)[: np.flatnonzero(counts)[-1] + 1].tolist()


class WeightMap(Transform):
    """Pixel weights w(x) = w_c(x) + w0 exp(-(d1(x) + d2(x))^2 / (2 sigma^2)) of the U-Net paper, equation 2.

    - w_c balances the class frequencies; 1 for the majority class, (majority count / own count) for the others.
    - d1, d2 are the Euclidean distances in pixels to the nearest and the second nearest cell: to its nearest pixel, so
      inside a cell d1 is 0. (The distance to the cell's inner boundary is the same on background.) The border term is 0
      with fewer than two cells, and where it is below 1e-6 w0.
    - Cells are the instances, if given, else the 4-connected components of the pixels that are neither class 0 nor
      ignored. The background border between touching instances is inside a cell for d1: it gets nearly all of w0.
    - Ignored pixels (label `ignore` or instance -1) have weight 0; they are excluded from class frequencies and cells.

    By default only background has a border term, whose purpose is to make the network learn the border. Inside cells it
    would emphasise their rims as well, which favours thinner borders; and restricting it to background takes a third of
    the time.

    Example:
        >>> label = np.ones((1, 5, 7), np.uint8)
        >>> label[0, :, 3] = 0  # a border of one pixel between two cells
        >>> WeightMap(w0=10, class_weights=[1, 1])(label)[0, 2].round().tolist()
        [1.0, 1.0, 1.0, 10.0, 1.0, 1.0, 1.0]

    Args:
        w0: largest border term.
        sigma: width of the border term in working pixels.
        class_weights: w_c of each class (over a data set: `class_weights()`), one number for all classes, or None to
            balance each image by itself.
        border_everywhere: whether cells have a border term, too.
        ignore: the label to ignore, 1 to 255.
        scale: working pixels per image pixel: the map keeps the image's size, with a border term of `sigma / scale`.

    Raises:
        UserError: a parameter out of range.
    """

    backend = [TransformBackends.NUMPY]  # noqa: RUF012 (MONAI's own attribute)

    def __init__(
        self,
        w0: float = 10.0,
        sigma: float = 5.0,
        class_weights: Sequence[float] | float | None = None,
        border_everywhere: bool = False,
        ignore: int = IGNORED,
        scale: float = 1.0,
    ) -> None:
        if not 0 <= w0 < math.inf:
            raise UserError(f"w0: got {w0}, expected a finite number, at least 0")
        if not 0 < sigma < math.inf:
            raise UserError(f"sigma: got {sigma}, expected a finite number of pixels above 0")
        if not 1 <= ignore <= MAX_CLASS:
            raise UserError(f"ignore: got {ignore}, expected a label from 1 to {MAX_CLASS}")
        if isinstance(class_weights, int | float):
            class_weights = [class_weights] * MAX_CLASS
        if class_weights is not None and not all(0 <= weight < math.inf for weight in class_weights):
            raise UserError(f"class_weights: got {class_weights}, expected finite numbers, at least 0")
        self.w0 = w0
        self.sigma = sigma
        self.class_weights = None if class_weights is None else list(class_weights)
        self.border_everywhere = border_everywhere
        self.ignore = ignore
        self.scale = check_scale(scale)

    def __call__(self, label: NdarrayOrTensor, instance: NdarrayOrTensor | None = None) -> NdarrayOrTensor:
        """
        Args:
            label: classes (1, H, W), whole numbers 0 (background) to 255 in any integer, bool or float type.
            instance: ids (1, H, W), 0 background, -1 ignore, of any integer type (or float holding whole numbers).

        Returns:
            Weights (1, H, W) float32 in the container of `label`.

        Raises:
            TypeError: neither a NumPy array nor a tensor.
            UserError: wrong shape, shapes that differ, fractions, values out of range, or a class without a weight.
        """
        classes = to_integers(label, "label", lowest=0, highest=MAX_CLASS)
        if instance is None:
            cells = ndimage.label((classes != 0) & (classes != self.ignore), output=np.int32)[0]
        else:
            cells = as_instance_array(instance)
            if cells.shape != classes.shape:
                raise UserError(f"instance: got size {cells.shape}, expected {classes.shape} as the label has")
            classes[cells < 0] = self.ignore
            cells[classes == self.ignore] = 0
        weight = self._balanced(classes)
        if self.w0 > 0:
            wanted = classes != self.ignore if self.border_everywhere else classes == 0
            weight += np.float32(self.w0) * border_term(cells, wanted, self.sigma / self.scale)
        return convert_to_dst_type(weight[None], label, dtype=np.float32)[0]

    def _balanced(self, classes: NDArray[np.int32]) -> NDArray[np.float32]:
        """w_c: (H, W) float32."""
        counts = np.bincount(classes.ravel(), minlength=MAX_CLASS + 1)
        counts[self.ignore] = 0
        if self.class_weights is None:
            table = _balance(counts)
        else:
            highest = int(np.max(np.flatnonzero(counts), initial=0))
            size = len(self.class_weights)
            if highest >= size:
                raise UserError(f"label: got class {highest}, expected 0 to {size - 1}, as class_weights has {size}")
            table = np.zeros(MAX_CLASS + 1)
            table[:size] = self.class_weights
        table[self.ignore] = 0
        return table.astype(np.float32)[classes]


class WeightMapd(MapTransform):
    """Dictionary version of `WeightMap`.

    Example:
        >>> item = {"label": np.array([[[1, 1, 0, 1, 0, 0]]], np.uint8)}
        >>> sorted(WeightMapd(w0=10, sigma=5)(item))
        ['label', 'weight']

    Args:
        keys: the one key of the class label.
        w0, sigma, class_weights, border_everywhere, ignore, scale: see `WeightMap`.
        instance_key: key of the instance ids, used if present; None: always use the components of the label.
        weight_key: key of the weights in the result.
        allow_missing_keys: return dictionaries without the label unchanged.

    Raises:
        UserError: a parameter out of range, or more than one key.
    """

    backend = WeightMap.backend

    def __init__(
        self,
        keys: KeysCollection = "label",
        w0: float = 10.0,
        sigma: float = 5.0,
        class_weights: Sequence[float] | float | None = None,
        border_everywhere: bool = False,
        ignore: int = IGNORED,
        instance_key: str | None = "instance",
        weight_key: str = "weight",
        allow_missing_keys: bool = False,
        scale: float = 1.0,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        check_single(self.keys, weight_key)
        self.instance_key = instance_key
        self.weight_key = weight_key
        self.weight_map = WeightMap(w0, sigma, class_weights, border_everywhere, ignore, scale)

    def __call__(self, data: Mapping[Hashable, NdarrayOrTensor]) -> dict[Hashable, NdarrayOrTensor]:
        d = dict(data)
        for key in self.key_iterator(d):
            instance = d.get(self.instance_key) if self.instance_key is not None else None
            d[self.weight_key] = self.weight_map(d[key], instance)
        return d


WeightMapD = WeightMapDict = WeightMapd
