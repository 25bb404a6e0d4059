"""The pages of image files, and what they hold: probabilities, or numbers of objects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from custom.data.decode import IMAGE_SUFFIXES
from custom.data.image_io import count_pages, read_image, read_mask
from custom.errors import UserError


@dataclass(frozen=True)
class Page:
    """One page of an image file."""

    path: Path
    number: int
    name: str


def find_pages(source: Path) -> list[Page]:
    """All pages of an image file, or of the images in a folder in the order of their names.

    Raises:
        UserError: nothing there, or a file that cannot be read.
    """
    if source.is_dir():
        files = sorted(file for file in source.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES)
    else:
        files = [source]
    if not files:
        raise UserError(f"{source}: no image in this folder; give PNG or TIFF files")
    counts = {file: count_pages(file) for file in files}
    return [Page(f, i, f.name if n == 1 else f"{f.name}[{i}]") for f, n in counts.items() for i in range(n)]


def read_probability(page: Page) -> NDArray:
    """Foreground probability (H, W) in [0, 1]: a float image as it is, a mask of 0 and 1 or of 8 bits, 0 and 255.

    Raises:
        UserError: values that are neither, NaN, colours.
    """
    image = read_image(page.path, page.number)
    if image.ndim == 3:
        image = read_mask(page.path, page.number)
    low, high = image.min(), image.max()
    if image.dtype.kind == "f":
        if low < 0 or high > 1:
            raise UserError(f"{page.path}: has values from {low} to {high}; give probabilities in [0, 1]")
        return image
    top = 255 if image.dtype == np.uint8 and high == 255 else 1
    if not np.isin(image, (0, top)).all():
        raise UserError(
            f"{page.path}: {image.dtype} with values from {low} to {high} is no mask (0 and 1, or 8 bits with 0 and "
            "255); give probabilities as float in [0, 1]"
        )
    return image == top


def read_objects(page: Page) -> NDArray:
    """Numbers of the objects, (H, W); raises UserError as `read_mask`."""
    return read_mask(page.path, page.number)


def read_stacks(pred: Path, label: Path, read: Callable[[Page], NDArray]) -> tuple[list[str], list[NDArray], list]:
    """Names of the predictions, predictions and labels, paired in order; each (H, W), the pairs of equal shapes.

    Raises:
        UserError: different numbers of images, different shapes, or a file that cannot be read.
    """
    predictions, labels = find_pages(pred), find_pages(label)
    if len(predictions) != len(labels):
        raise UserError(f"{pred} has {len(predictions)} images, {label} has {len(labels)}; give one label for each")
    stacks: tuple[list[NDArray], list[NDArray]] = ([], [])
    for ours, theirs in zip(predictions, labels, strict=True):
        image, truth = read(ours), read_mask(theirs.path, theirs.number)
        if image.shape != truth.shape:
            raise UserError(
                f"{ours.path}: has shape {image.shape}, its label {theirs.path} {truth.shape}; make them equal"
            )
        stacks[0].append(image)
        stacks[1].append(truth)
    return [page.name for page in predictions], *stacks
