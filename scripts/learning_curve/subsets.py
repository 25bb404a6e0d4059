"""Data sets that train on some of the images of another one, and hold out the same images."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from custom.data.datalist import FILE_NAME
from custom.errors import UserError
from custom.files import replace_file

from ..reproduce.folds import read_lists, relocate


def check_numbers(numbers: Sequence[int], images: int) -> list[int]:
    """The numbers of images in ascending order, each once.

    Raises:
        UserError: a number below 1 or above `images`, the length of the training list.
    """
    wrong = [number for number in numbers if not 1 <= number <= images]
    if wrong:
        raise UserError(f"--images {wrong[0]}: the data set has {images} training images; give 1 to {images}")
    return sorted(set(numbers))


def doubling(images: int) -> list[int]:
    """1, 2, 4, ... and all images."""
    return [2**power for power in range(images.bit_length()) if 2**power < images] + [images]


def write_subset(source: Path, output: Path, number: int, seed: int) -> Path:
    """A data set folder whose training list is `number` of the training images of `source`.

    The images are the first of a random order that the seed decides, so those of a smaller subset are in every larger
    one of the same seed. The folder holds a `dataset.json` alone, whose paths lead to the files of `source`.

    Raises:
        UserError: the folder cannot be written.
    """
    content = relocate(read_lists(source), source, output)
    images = content["training"]
    order = np.random.default_rng(seed).permutation(len(images))
    content["training"] = [images[index] for index in sorted(order[:number])]
    with replace_file(output / FILE_NAME) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return output
