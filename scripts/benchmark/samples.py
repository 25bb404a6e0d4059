"""Images and labels to measure on: the ISBI 2012 training volume if available, else the built-in synthetic one."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from custom.data import read_image
from custom.data.synthetic_tissue import draw_tissue

Pair = tuple[NDArray[np.float32], NDArray[np.uint8]]
PIECE = 512
DRAWN = 3


def real_folder() -> Path | None:
    """`isbi2012/train` in the folder that the environment variable UNET_DATA names, or None."""
    folder = Path(os.environ.get("UNET_DATA", "")) / "isbi2012" / "train"
    return folder if os.environ.get("UNET_DATA") and folder.is_dir() else None


def source() -> str:
    """Description of the images."""
    return "the ISBI 2012 training volume" if real_folder() else "built-in synthetic micrographs"


@lru_cache(maxsize=1)
def pieces() -> list[Pair]:
    """Images (512, 512) in [0, 1] and labels, 1 in a cell and 0 on membrane."""
    folder = real_folder()
    drawn: Any
    if folder is None:
        drawn = (draw_tissue(np.random.default_rng(seed), (PIECE, PIECE)) for seed in range(DRAWN))
    else:
        names = sorted(path.name for path in (folder / "image").glob("*.png"))
        drawn = ((read_image(folder / "image" / name), read_image(folder / "label" / name)) for name in names)
    return [((image / 255).astype(np.float32), (label > 0).astype(np.uint8)) for image, label in drawn]


def mosaic(size: int) -> Pair:
    """Image and label (size, size) of pieces side by side, separated by membrane."""
    count = -(-size // PIECE)
    image = np.empty((count * PIECE, count * PIECE), np.float32)
    label = np.zeros(image.shape, np.uint8)
    for number in range(count**2):
        row, column = (PIECE * n for n in divmod(number, count))
        piece, cells = pieces()[number % len(pieces())]
        image[row : row + PIECE, column : column + PIECE] = piece
        label[row : row + PIECE - 1, column : column + PIECE - 1] = cells[:-1, :-1]
    return image[:size, :size], label[:size, :size]
