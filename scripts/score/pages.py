"""The pages of image files, with probabilities or instance ids."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from custom.data.image_io import count_channels, count_pages, read_image, read_mask
from custom.data.pairs import list_images, list_masks, pair_by_name
from custom.data.regions import count_regions
from custom.errors import UserError

PairBy = Literal["name", "order"]


@dataclass(frozen=True)
class Page:
    """One page of an image file."""

    path: Path
    number: int
    name: str


def find_pages(files: list[Path]) -> list[Page]:
    """All pages of image files.

    Raises:
        UserError: a file that cannot be read.
    """
    counts = {file: count_pages(file) for file in files}
    return [Page(f, i, f.name if n == 1 else f"{f.name}[{i}]") for f, n in counts.items() for i in range(n)]


def find_pairs(pred: Path, label: Path, pair_by: PairBy) -> list[tuple[Page, Page]]:
    """Pages of predictions with the pages of their labels.

    Two files are paired page by page. Files of two folders are paired by name, and then page by page.

    Args:
        pred: an image file or a folder.
        label: an image file or a folder.
        pair_by: "name", or "order": all pages of `pred` and all of `label`, files sorted by name.

    Raises:
        UserError: no images; names or numbers of pages that do not agree; a file that cannot be read.
    """
    predictions, labels = _files(pred, list_images), _files(label, list_masks)
    if pair_by == "order":
        return _page_by_page(predictions, labels, pred, label)
    if pred.is_dir() != label.is_dir():
        raise UserError(
            f"{pred} is a folder and {label} is not, or the reverse; give --pair_by order to pair them sorted"
        )
    if not pred.is_dir():
        return _page_by_page(predictions, labels, pred, label)
    files = pair_by_name(predictions, labels, "or give --pair_by order to pair them sorted")
    return [pages for ours, theirs in files for pages in _page_by_page([ours], [theirs], ours, theirs)]


def _files(source: Path, list_files: Callable[[Path], list[Path]]) -> list[Path]:
    files = list_files(source) if source.is_dir() else [source]
    if not files:
        raise UserError(f"{source}: no image in this folder; give PNG or TIFF files")
    return files


def _page_by_page(predictions: list[Path], labels: list[Path], pred: Path, label: Path) -> list[tuple[Page, Page]]:
    ours, theirs = find_pages(predictions), find_pages(labels)
    if len(ours) != len(theirs):
        raise UserError(f"{pred} has {len(ours)} images, {label} has {len(theirs)}; give one label for each")
    return list(zip(ours, theirs, strict=True))


def read_probability(page: Page) -> NDArray:
    """Foreground probability (H, W) in [0, 1]: a float image as it is, a mask of 0 and 1 or of 8 bits, 0 and 255.

    Raises:
        UserError: values that are neither, NaN, colours, probabilities of several classes.
    """
    count = count_channels(page.path)
    image = read_image(page.path, page.number, 0 if count > 1 else None)
    if image.dtype.kind != "f":
        image = read_mask(page.path, page.number)  # palettes and alpha mean something else in masks
    elif count > 1:
        raise UserError(
            f"{page.path}: has {count} channels, probabilities of {count} classes; give one of the foreground, or "
            "score the model by `evaluating`"
        )
    low, high = image.min(), image.max()
    if image.dtype.kind == "f":
        if low < 0 or high > 1:
            raise UserError(f"{page.path}: has values from {low} to {high}; give probabilities in [0, 1]")
        return image
    top = 255 if image.dtype == np.uint8 and high == 255 else 1
    if not np.isin(image, (0, top)).all():
        raise UserError(
            f"{page.path}: {image.dtype} with values from {low} to {high} is not a mask (0 and 1, or 8 bits with 0 and "
            "255); give probabilities as float in [0, 1]"
        )
    return image == top


def read_objects(page: Page) -> NDArray:
    """Instance ids (H, W).

    Raises:
        UserError: as `read_mask`; negative ids.
    """
    objects = read_mask(page.path, page.number)
    if objects.min() < 0:
        raise UserError(
            f"{page.path}: has the value {objects.min()}; give 0 for background and numbers above for objects"
        )
    return objects


def warn_of_masks(objects: list[NDArray], source: Path, ignore: int | None = None) -> None:
    """Warn if each image has one object at most, and one is in separate regions, as in black and white masks."""
    regions = [count_regions(ids if ignore is None else np.where(ids == ignore, 0, ids)) for ids in objects]
    if all(len(found) <= 1 for found in regions) and any(count > 1 for found in regions for count in found.values()):
        warnings.warn(
            f"{source}: marks separate regions by one value, which counts as one object; number the objects",
            stacklevel=2,
        )


def read_stacks(
    pairs: list[tuple[Page, Page]], read: Callable[[Page], NDArray], ignore: int | None
) -> tuple[list[NDArray], list[NDArray]]:
    """Predictions and labels, each (H, W), the pairs of equal shapes.

    Raises:
        UserError: different shapes, negative labels that are not ignored, or a file that cannot be read.
    """
    stacks: tuple[list[NDArray], list[NDArray]] = ([], [])
    for ours, theirs in pairs:
        image, truth = read(ours), read_mask(theirs.path, theirs.number)
        if image.shape != truth.shape:
            raise UserError(
                f"{ours.path}: has shape {image.shape}, its label {theirs.path} {truth.shape}; make them equal"
            )
        negative = set(np.unique(truth[truth < 0]).tolist()) - {ignore}
        if negative:
            raise UserError(f"{theirs.path}: has the value {min(negative)}; give values of 0 and above, or --ignore it")
        stacks[0].append(image)
        stacks[1].append(truth)
    return stacks
