"""From instances to classes, with a border between touching cells."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection, NdarrayOrTensor
from monai.transforms import MapTransform, Transform
from monai.utils import TransformBackends, convert_to_dst_type, convert_to_numpy
from numpy.typing import NDArray
from scipy import ndimage

from ..constants import CONTACT, IGNORED
from ..data.scale import check_scale
from ..errors import UserError

EIGHT_NEIGHBOURS = np.ones((3, 3), dtype=bool)


def to_plane(image: NdarrayOrTensor, name: str) -> NDArray[Any]:
    """The (H, W) array in a (1, H, W) array or tensor; errors refer to it as `name`.

    Raises:
        TypeError: neither a NumPy array nor a tensor.
        UserError: any other shape, or no pixels.
    """
    if not isinstance(image, (np.ndarray, torch.Tensor)):
        raise TypeError(f"{name}: got {type(image).__name__}, expected a NumPy array or a tensor")
    if len(image.shape) != 3 or image.shape[0] != 1 or 0 in image.shape:
        raise UserError(f"{name}: got shape {tuple(image.shape)}, expected (1, H, W) with at least one pixel")
    if isinstance(image, torch.Tensor) and image.dtype == torch.bfloat16:
        image = image.float()  # NumPy has no bfloat16
    return convert_to_numpy(image)[0]


def to_integers(image: NdarrayOrTensor, name: str, lowest: int, highest: int) -> NDArray[np.int32]:
    """A new (H, W) int32 array of whole numbers in [lowest, highest], from (1, H, W) of any type.

    Raises:
        TypeError: neither a NumPy array nor a tensor.
        UserError: wrong shape, fractions (or NaN), or a value outside the range.
    """
    plane = to_plane(image, name)
    with np.errstate(invalid="ignore"):  # NaN and huge values are caught by the comparison
        integers = plane.astype(np.int32)
    if not np.array_equal(integers, plane):
        raise UserError(f"{name}: got values that are not 32-bit integers, expected labels (not probabilities)")
    low, high = int(integers.min()), int(integers.max())
    if low < lowest or high > highest:
        raise UserError(f"{name}: got values from {low} to {high}, expected {lowest} to {highest}")
    return integers


def as_instance_array(image: NdarrayOrTensor, name: str = "instance") -> NDArray[np.int32]:
    """(1, H, W) instance ids as a new (H, W) int32 array: 0 background, -1 ignore. Errors as in `to_integers`."""
    return to_integers(image, name, lowest=-1, highest=np.iinfo(np.int32).max)


def check_single(keys: tuple[Hashable, ...], output_key: str) -> None:
    """Raise `UserError` unless there is just one input key for the one output key."""
    if len(keys) != 1:
        raise UserError(f"keys: got {keys}, expected one, since `{output_key}` holds one array")


def near_two(instances: NDArray[np.int32], size: int) -> NDArray[np.bool_]:
    """Pixels whose size x size neighbourhood holds pixels of two instances, their own included."""
    nothing = np.iinfo(np.int32).max
    largest = ndimage.maximum_filter(instances, size=size)
    smallest = ndimage.minimum_filter(np.where(instances > 0, instances, nothing), size=size)
    return (largest > 0) & (largest != smallest)


def near_another(instances: NDArray[np.int32], size: int) -> NDArray[np.bool_]:
    """Pixels of an instance whose size x size neighbourhood holds a pixel of another instance."""
    return (instances > 0) & near_two(instances, size)


def _keep_vanished(cells: NDArray[np.int32], instances: NDArray[np.int32]) -> None:
    """Restore in `cells` the instances that have no pixel left there, the smallest first.

    Of each, all pixels that do not touch a pixel of another cell are restored.
    """
    ids, sizes = np.unique(instances[instances > 0], return_counts=True)
    has_vanished = ~np.isin(ids, cells)
    if not has_vanished.any():
        return
    boxes = ndimage.find_objects(np.where(instances > 0, np.searchsorted(ids, instances) + 1, 0))
    smallest_first = np.argsort(sizes, kind="stable")
    for number in smallest_first[has_vanished[smallest_first]]:
        rows, columns = boxes[number]
        window = np.s_[max(rows.start - 1, 0) : rows.stop + 1, max(columns.start - 1, 0) : columns.stop + 1]
        occupied = ndimage.binary_dilation(cells[window] > 0, EIGHT_NEIGHBOURS)
        cells[window][(instances[window] == ids[number]) & ~occupied] = ids[number]


class InstancesToClasses(Transform):
    """Classes from instances, with a border between touching cells (section 3 of the U-Net paper).

    Background is 0, cells are 1, ignored pixels (instance -1) are 255. A pixel of a cell becomes background if the
    square of `border_width` pixels around it contains a pixel of another cell. So touching cells are separated by
    `border_width - 1` pixels, any two by at least `(border_width - 1) / 2`, and no two cells are connected, neither by
    4- nor by 8-connectivity. The default, 3, is the thinnest symmetric border; a wider one is easier to learn.
    Background and ignored pixels do not erode cells.

    A cell that would vanish keeps every pixel that does not touch another cell's remaining foreground, so that at
    least one pixel of border is left. Only if there is no such pixel (in the second of two neighbouring one-pixel
    cells, for example) does the cell become background.

    With `contact` the border is class 2 instead of background, and so are the other pixels whose square contains pixels
    of two cells: gaps of up to `border_width - 1` pixels. Cells and contact together are the cells as annotated, with
    such gaps closed.

    The label keeps the size of the image. At a working scale s other than 1 the side of the square is the odd number
    nearest to 1 + (border_width - 1) / s, at least 3, so that touching cells are again separated by `border_width - 1`
    working pixels.

    Example:
        >>> touching = np.array([[[1, 1, 1, 2, 2, 2]]])
        >>> InstancesToClasses(border_width=3)(touching)[0, 0].tolist()
        [1, 1, 0, 0, 1, 1]
        >>> InstancesToClasses(border_width=3, contact=True)(touching)[0, 0].tolist()
        [1, 1, 2, 2, 1, 1]

    Args:
        border_width: side of the square, in working pixels; odd, at least 3.
        scale: working pixels per image pixel.
        contact: whether the border is a class of its own.

    Raises:
        UserError: `border_width` is even or below 3, or `scale` out of range.
    """

    backend = [TransformBackends.NUMPY]  # noqa: RUF012 (MONAI's own attribute)

    def __init__(self, border_width: int = 3, scale: float = 1.0, contact: bool = False) -> None:
        if border_width < 3 or border_width % 2 != 1:
            raise UserError(f"border_width: got {border_width}, expected an odd number of pixels, at least 3")
        self.border_width = 1 + 2 * max(1, round((border_width - 1) / 2 / check_scale(scale)))
        self.contact = contact

    def __call__(self, instance: NdarrayOrTensor) -> NdarrayOrTensor:
        """
        Args:
            instance: ids (1, H, W) of any integer type (or float holding whole numbers): 0 background, -1 ignore.

        Returns:
            Classes (1, H, W) uint8 in the container of the input: 0, 1, 2 for contact, or 255 where ignored.

        Raises:
            TypeError: neither a NumPy array nor a tensor.
            UserError: wrong shape, fractions, or a value below -1.
        """
        instances = as_instance_array(instance)
        cells = np.where(near_another(instances, self.border_width), 0, instances)
        _keep_vanished(cells, instances)
        classes = (cells > 0).astype(np.uint8)
        if self.contact:
            classes[near_two(instances, self.border_width) & (cells == 0)] = CONTACT
        classes[instances < 0] = IGNORED
        return convert_to_dst_type(classes[None], instance, dtype=np.uint8)[0]


class InstancesToClassesd(MapTransform):
    """Dictionary version of `InstancesToClasses`: the ids are kept, the classes are added under another key.

    Example:
        >>> item = {"instance": np.array([[[0, 1, 1, 1, 2, 2, 2]]])}
        >>> InstancesToClassesd(border_width=3)(item)["label"].tolist()
        [[[0, 1, 1, 0, 0, 1, 1]]]

    Args:
        keys: the one key that holds the instance ids (1, H, W).
        border_width, scale, contact: see `InstancesToClasses`.
        label_key: key of the classes, uint8 (1, H, W).
        allow_missing_keys: return dictionaries without the key unchanged.

    Raises:
        UserError: more than one key.
    """

    backend = InstancesToClasses.backend

    def __init__(
        self,
        keys: KeysCollection = "instance",
        border_width: int = 3,
        label_key: str = "label",
        allow_missing_keys: bool = False,
        scale: float = 1.0,
        contact: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        check_single(self.keys, label_key)
        self.label_key = label_key
        self.convert = InstancesToClasses(border_width, scale, contact)

    def __call__(self, data: Mapping[Hashable, NdarrayOrTensor]) -> dict[Hashable, NdarrayOrTensor]:
        d = dict(data)
        for key in self.key_iterator(d):
            d[self.label_key] = self.convert(d[key])
        return d


InstancesToClassesD = InstancesToClassesDict = InstancesToClassesd
