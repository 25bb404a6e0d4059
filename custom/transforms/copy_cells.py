"""Cells of other images, copied beside cells of this one: touching pairs for data that have few."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.transforms import MapTransform, RandomizableTransform
from monai.utils import TransformBackends, convert_to_dst_type, convert_to_numpy
from numpy.typing import NDArray
from scipy import ndimage

from ..errors import UserError
from .instances import as_instance_array

FADE = 3.0  # pixels; the surroundings of a copy fade into the image by a Gaussian of this width
RIM = 9  # pixels of surroundings: at its end their share is 1e-4
DEEPEST = 0.3  # how far a copy is moved into its neighbour, as a share of the square root of its area
MOST_HIDDEN = 0.5  # share of a cell that may be hidden


@dataclass(frozen=True)
class Cutout:
    """A cell with its surroundings.

    Args:
        image: gray values, float32 (C, h, w).
        cell: its pixels, bool (h, w).
        share: of its gray values in a blend, float32 (h, w): 1 in the cell, 0 where another one is.
    """

    image: NDArray[np.float32]
    cell: NDArray[np.bool_]
    share: NDArray[np.float32]


def cut_out(image: NDArray[np.float32], instances: NDArray[np.int32]) -> list[Cutout]:
    """The cells of an image (C, H, W) with ids (H, W), without those that its edge may have cut off."""
    cutouts = []
    ids = np.unique(instances[instances > 0])
    ranks = np.where(instances > 0, np.searchsorted(ids, instances) + 1, 0)
    for rank, box in enumerate(ndimage.find_objects(ranks), start=1):
        rows, columns = (slice(side.start - RIM, side.stop + RIM) for side in box)
        if min(rows.start, columns.start) < 0 or rows.stop > instances.shape[0] or columns.stop > instances.shape[1]:
            continue
        cell = ranks[rows, columns] == rank
        share = np.exp(-((ndimage.distance_transform_edt(~cell) / FADE) ** 2)).astype(np.float32)
        share[(instances[rows, columns] != 0) & ~cell] = 0
        cutouts.append(Cutout(image[:, rows, columns], cell, share))
    return cutouts


def farthest(pixels: NDArray[np.bool_], direction: NDArray[np.float64]) -> NDArray[np.intp]:
    """The (row, column) of the true pixel that is farthest in a direction."""
    positions = np.argwhere(pixels)
    return positions[np.argmax(positions @ direction)]


def paste(
    cutout: Cutout,
    corner: NDArray[np.intp],
    in_front: bool,
    image: NDArray[np.float32],
    instances: NDArray[np.int32],
) -> None:
    """Copy a cell into an image (C, H, W) and its ids (H, W), in place, under a new id.

    Nothing is copied if more than half of the copy, or of a cell behind it, were hidden.

    Args:
        cutout: the cell.
        corner: where its top left pixel goes (row, column), perhaps outside of the image.
        in_front: of the cells of the image, which are otherwise in front of the copy.
        image: float32.
        instances: int32.
    """
    start, stop = np.maximum(corner, 0), np.minimum(corner + cutout.cell.shape, instances.shape)
    if (start >= stop).any():
        return
    there, here = tuple(map(slice, start, stop)), tuple(map(slice, start - corner, stop - corner))
    ids, cell, share = instances[there], cutout.cell[here], cutout.share[here]
    if not in_front:
        cell, share = cell & (ids <= 0), np.where(ids > 0, 0, share)
    behind, hidden = np.unique(ids[cell & (ids > 0)], return_counts=True)
    areas = np.array([np.count_nonzero(instances == number) for number in behind])
    if cell.sum() < (1 - MOST_HIDDEN) * cutout.cell.sum() or (hidden > MOST_HIDDEN * areas).any():
        return
    image[:, *there] += share * (cutout.image[:, *here] - image[:, *there])
    ids[cell] = instances.max() + 1


class RandCopyCellsd(RandomizableTransform, MapTransform):
    """Copies cells of other images beside cells of an image, so that the network sees more cells that touch.

    A copy is put where it touches a cell, in a random direction, and moved into it by up to a third of its own extent;
    at random one or the other is in front. It is not turned, since light may have a direction. Its gray values replace
    those of the image, with surroundings that fade within a few pixels. Copies of which more than half would be hidden,
    or that would hide more than half of a cell, are left out.

    Example:
        >>> ids = np.zeros((1, 60, 70), np.int32)
        >>> ids[0, 20:30, 30:42] = 5
        >>> item = {"image": ids.astype(np.float32), "instance": ids}
        >>> copy = RandCopyCellsd(["image", "instance"], [item], load=dict, annotate=dict, prob=1.0, most=1)
        >>> np.unique(copy.set_random_state(seed=0)(item)["instance"]).tolist()
        [0, 5, 6]

    Args:
        keys: of the image, float32 (C, H, W), and of the instance ids (1, H, W): 0 background, -1 ignore.
        sources: items of the images to copy from.
        load: makes items with image and ids of them; called once for each, when a cell of it is first copied.
        annotate: computes what depends on the ids (classes, weights) for an item with copies.
        prob: probability that an image gets copies.
        most: largest number of copies.

    Raises:
        UserError: not two keys, or an item without ids, as in data sets whose labels are classes.
    """

    backend = [TransformBackends.NUMPY]  # noqa: RUF012 (MONAI's own attribute)

    def __init__(
        self,
        keys: KeysCollection,
        sources: Sequence[Mapping[Hashable, Any]],
        load: Callable[[Any], Mapping[Hashable, Any]],
        annotate: Callable[[Any], dict[Hashable, Any]],
        prob: float = 0.5,
        most: int = 3,
    ) -> None:
        MapTransform.__init__(self, keys)
        RandomizableTransform.__init__(self, prob)
        if len(self.keys) != 2:
            raise UserError(f"keys: got {self.keys}, expected those of the image and of the instance ids")
        self.sources = sources
        self.load = load
        self.annotate = annotate
        self.most = most
        self._cutouts: dict[int, list[Cutout]] = {}

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The item, perhaps with copies."""
        item = dict(data)
        self.randomize(None)
        if not self._do_transform:
            return item
        image, instances = self._arrays(item)
        cells = np.unique(instances[instances > 0])
        if not len(cells):
            return item
        for _ in range(self.R.randint(1, self.most + 1)):
            self._copy(self.R.choice(cells), image, instances)
        for key, changed in zip(self.keys, (image, instances[None]), strict=True):
            item[key] = convert_to_dst_type(changed, item[key])[0]
        return self.annotate(item)

    def _arrays(self, item: Mapping[Hashable, Any]) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Image (C, H, W) and ids (H, W), which may be changed."""
        image_key, ids_key = self.keys
        if ids_key not in item:
            raise UserError("labels are classes; cells can be copied in data sets whose labels are instances")
        return convert_to_numpy(item[image_key]).copy(), as_instance_array(item[ids_key])

    def _copy(self, beside: int, image: NDArray[np.float32], instances: NDArray[np.int32]) -> None:
        """Copy a random cell beside the one of this id, in place."""
        cutouts = self._cells_of(self.R.randint(len(self.sources)))
        if not cutouts:
            return
        cutout = cutouts[self.R.randint(len(cutouts))]
        angle = self.R.uniform(0, 2 * np.pi)
        depth = self.R.uniform(0, DEEPEST) * np.sqrt(cutout.cell.sum())
        direction = np.array([np.sin(angle), np.cos(angle)])
        contact = farthest(instances == beside, direction) - farthest(cutout.cell, -direction)
        corner = np.rint(contact - depth * direction).astype(np.intp)
        paste(cutout, corner, self.R.random_sample() < 0.5, image, instances)

    def _cells_of(self, number: int) -> list[Cutout]:
        if number not in self._cutouts:
            self._cutouts[number] = cut_out(*self._arrays(self.load(dict(self.sources[number]))))
        return self._cutouts[number]


RandCopyCellsD = RandCopyCellsDict = RandCopyCellsd
