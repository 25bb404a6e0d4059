"""A folder with one mask file for each object of an image, as in the Data Science Bowl 2018 (BBBC038)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from custom.data.image_io import check_mask, require_shape
from custom.data.pairs import image_name, stem_of
from custom.errors import UserError


def holds_objects(images: Sequence[Path], labels: Sequence[Path], inside: bool) -> bool:
    """Whether masks beside one image are those of single objects: several of them, none named as the image.

    A single mask of another name is that of a single object only `inside` a folder with many such folders.
    """
    if len(images) != 1 or not labels or (len(labels) == 1 and not inside):
        return False
    return all(image_name(label).casefold() != stem_of(images[0]).casefold() for label in labels)


def read_objects(files: Sequence[Path], image: Path, shape: tuple[int, ...]) -> NDArray[np.uint16]:
    """Numbers of the objects, (H, W), 0 where there is none; where two overlap, the smaller is on top.

    Args:
        files: masks, one value above 0 in each.
        image: whose objects they are.
        shape: of the image, (H, W) or (H, W, C).

    Raises:
        UserError: a mask is unreadable, of another size, empty, or has several values; more than 65,535 objects.
    """
    if len(files) >= 2**16:
        raise UserError(f"{files[0].parent}: has {len(files)} masks of objects; {2**16 - 1} are possible in an image")
    objects = []
    for file in files:
        mask = check_mask(file)
        require_shape(mask, file, image, shape)
        values = np.unique(mask[mask != 0])
        if len(values) != 1:
            raise UserError(
                f"{file}: has {len(values)} values above 0; beside {image.name} is one file for each object, which has "
                "one such value; for one mask of all objects, name it as the image"
            )
        objects.append(np.flatnonzero(mask))
    numbers = np.zeros(shape[0] * shape[1], np.uint16)
    for number, pixels in enumerate(sorted(objects, key=len, reverse=True), start=1):
        numbers[pixels] = number
    return numbers.reshape(shape[:2])
