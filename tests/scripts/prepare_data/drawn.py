"""Images without labels, two objects to draw on them, and what `prepare_data` makes of that."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from custom.data import LoadMicroscopyd, write_image
from custom.data.datalist import Datalist

from .common import SHAPE, prepare, random_pixels, refusal

SQUARE = [[4, 3], [20, 3], [20, 9], [4, 9]]  # corners (x, y)
WIDE = [[8, 12], [30, 12], [30, 20], [8, 20]]
HOLE = [[10, 14], [14, 14], [14, 18], [10, 18]]


def cells() -> NDArray[np.uint16]:
    """The two rectangles, numbered."""
    mask = np.zeros(SHAPE, np.uint16)
    mask[3:9, 4:20], mask[12:20, 8:30] = 1, 2
    return mask


def two_images(folder: Path) -> Path:
    """A folder with two images, of random pixels, without labels."""
    for name in ("ape", "bee"):
        write_image(folder / "own" / f"{name}.png", random_pixels())
    return folder / "own"


def made(own: Path, *more: str) -> Datalist:
    return prepare("folder", "--source", own, "--output", own.parent / "out", *more)


def refused(own: Path, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    return refusal(capsys, "folder", "--source", own, "--output", own.parent / "out", *more)


def loaded(dataset: Datalist, key: str) -> list[NDArray]:
    items = sorted(dataset.training + dataset.validation, key=lambda item: item["image"])
    return [LoadMicroscopyd()(item)[key][0].numpy() for item in items]
