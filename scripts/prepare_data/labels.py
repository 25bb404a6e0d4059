"""The label of an image file: a picture, numbers of Cellpose, drawn objects, or a picture for each object."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from numpy.typing import NDArray

from custom.data.image_io import check_mask, count_pages, read_mask, require_shape
from custom.data.pairs import list_masks
from custom.errors import UserError

from . import cellpose, imagej, json_labels, labelme
from .object_files import read_objects
from .regions import Region, draw

Values = Mapping[str, int]


@dataclass(frozen=True)
class Label:
    """A picture whose pixel values are the labels.

    Args:
        path: of the label.
        image: whose label it is.
    """

    path: Path
    image: Path

    @property
    def categories(self) -> frozenset[str] | None:
        """Names of the classes of the objects; None if the file has values only, whose meaning has to be said."""
        return None

    def check_pages(self, count: int) -> None:
        """Raise `UserError` unless it has labels for `count` pages."""
        own = self._pages()
        if own != count:
            raise UserError(
                f"{self.path}: has {own} pages, its image {self.image.name} has {count}; give a mask for each page"
                + ("; if the image's pages are channels, say so: --axes CYX" if own == 1 else "")
            )

    def check(self, page: int, shape: tuple[int, ...], values: Values | None = None) -> NDArray:
        """Read a page to find what is wrong with it. Arguments, result and errors as of `read`."""
        mask = check_mask(self.path, page)
        require_shape(mask, self.path, self.image, shape)
        return mask

    def read(self, page: int, shape: tuple[int, ...], values: Values | None = None) -> NDArray:
        """The mask (H, W) of a page.

        Args:
            page: from 0.
            shape: of the image, (H, W) or (H, W, C).
            values: mask value of each category, of a label with categories; None: each object has a number.

        Raises:
            UserError: unreadable, of another size, or of more or fewer pages.
        """
        return read_mask(self.path, page)

    def _pages(self) -> int:
        return count_pages(self.path)


class Cells(Label, ABC):
    """Numbered cells, all of one class."""

    @property
    def categories(self) -> frozenset[str]:
        return frozenset({"cell"})

    def check(self, page: int, shape: tuple[int, ...], values: Values | None = None) -> NDArray:
        return self.read(page, shape, values)

    def read(self, page: int, shape: tuple[int, ...], values: Values | None = None) -> NDArray:
        numbers = self._numbers(page, shape)
        return numbers if values is None else (numbers > 0) * values["cell"]

    @abstractmethod
    def _numbers(self, page: int, shape: tuple[int, ...]) -> NDArray:
        """Number of the cell of each pixel, (H, W); 0 is background."""


class CellposeFile(Cells):
    """The cells of Cellpose's `_seg.npy`."""

    def _numbers(self, page: int, shape: tuple[int, ...]) -> NDArray:
        cells = _cells(self.path, _changed(self.path))
        mask = cells if cells.ndim == 2 else cells[page]
        require_shape(mask, self.path, self.image, shape)
        return mask

    def _pages(self) -> int:
        cells = _cells(self.path, _changed(self.path))
        return 1 if cells.ndim == 2 else len(cells)


class ObjectFiles(Cells):
    """A folder with a mask for each object."""

    def _numbers(self, page: int, shape: tuple[int, ...]) -> NDArray:
        return read_objects(list_masks(self.path), self.image, shape)

    def _pages(self) -> int:
        return 1


class Drawing(Label):
    """Outlines of objects, from ImageJ, GeoJSON, COCO or LabelMe."""

    @property
    def categories(self) -> frozenset[str]:
        return frozenset(region.category for region in self.regions())

    def regions(self) -> list[Region]:
        """The objects of all pages."""
        return _regions(self.path, self.image, _changed(self.path))

    def check_pages(self, count: int) -> None:
        pages = {region.page for region in self.regions()}
        if count > 1 and None in pages:
            raise UserError(
                f"{self.path}: has objects without a page, its image {self.image.name} has {count} pages; save objects "
                "with their position in the stack, or give one image for each page"
            )
        beyond = max((page for page in pages if page is not None), default=0)
        if beyond >= max(count, 1) and count > 1:
            raise UserError(f"{self.path}: has an object on page {beyond + 1}, its image {self.image.name} has {count}")

    def check(self, page: int, shape: tuple[int, ...], values: Values | None = None) -> NDArray:
        return self.read(page, shape, values)

    def read(self, page: int, shape: tuple[int, ...], values: Values | None = None) -> NDArray:
        size = (shape[0], shape[1])
        regions = self.regions()
        if any(region.page is not None and region.page > 0 for region in regions):
            regions = [region for region in regions if region.page == page]
        other = next((region.size for region in regions if region.size not in (None, size)), None)
        if other is not None:
            raise UserError(
                f"{self.path}: has objects for {other[0]} x {other[1]} pixels (H x W), {self.image.name} has "
                f"{size[0]} x {size[1]}; export them for the image as it is"
            )
        mask, hidden = draw(regions, size, values)
        if regions and hidden == len(regions):
            raise UserError(
                f"{self.path}: no object covers a pixel of {self.image.name}, which has {size[0]} x {size[1]} pixels "
                "(H x W); draw on the image at full size, in pixels"
            )
        if hidden:
            warnings.warn(
                f"{self.path}: {hidden} of {len(regions)} objects are outside of the image, smaller than a pixel or "
                "under others",
                stacklevel=2,
            )
        return mask


def open_label(path: Path, image: Path) -> Label:
    """The label in a file, by its format, or in a folder of objects."""
    if path.is_dir():
        return ObjectFiles(path, image)
    name = path.name.lower()
    if name.endswith(cellpose.SUFFIX):
        return CellposeFile(path, image)
    return (Drawing if name.endswith((*imagej.SUFFIXES, *json_labels.SUFFIXES)) else Label)(path, image)


def _changed(path: Path) -> int:
    return path.stat().st_mtime_ns


@lru_cache(maxsize=2)
def _cells(path: Path, changed: int) -> NDArray:
    return cellpose.read_cells(path)


@lru_cache(maxsize=2)
def _regions(path: Path, image: Path, changed: int) -> list[Region]:
    if path.suffix.lower() in imagej.SUFFIXES:
        return imagej.read_rois(path)
    kind = json_labels.kind_of(path)
    if kind == json_labels.COCO:
        return json_labels.read_coco(path, image)
    return labelme.read_labelme(path) if kind == json_labels.LABELME else json_labels.read_geojson(path)
