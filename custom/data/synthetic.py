"""Built-in data sets, drawn from a seed in seconds: "tissue", of two classes, and "cells", of three in two channels.

"tissue" looks like electron micrographs of neural tissue. It shows what makes membranes hard to find: cells from
bundles of thin neurites to large bodies, membranes of varying width and contrast, some cut obliquely and faint, and
things that are as dark but are not membranes: mitochondria, vesicles, microtubules, endoplasmic reticulum. Labels are 0
for membrane and 255 for cell. "cells" looks like fluorescence, see `synthetic_cells`.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from ..errors import UserError
from ..files import new_folder
from .datalist import FILE_NAME, write_dataset
from .image_io import write_channels, write_image
from .synthetic_cells import CHANNELS, LABELS, draw_cells
from .synthetic_tissue import draw_tissue

SIZE = (320, 416)  # (H, W); not square, to reveal transpositions
COUNTS = {"training": 12, "validation": 3, "test": 3}
_OWN = {"licence": "Apache-2.0", "reference": "none: made by this project"}
_ABOUT: dict[str, dict[str, str]] = {
    "tissue": {
        "name": "built-in synthetic EM",
        "description": "Drawn micrographs of cells and membranes, made from a seed by this project.",
        **_OWN,
        "channel": "brightness of a drawn transmission electron micrograph",
    },
    "cells": {
        "name": "built-in synthetic fluorescence",
        "description": "Drawn cells with nuclei in two channels, made from a seed by this project.",
        **_OWN,
    },
}
_LABELS = {"tissue": {"0": "membrane", "255": "cell"}, "cells": LABELS}
Kind = Literal["tissue", "cells"]


def make_synthetic(
    output_dir: str | os.PathLike[str],
    seed: int = 0,
    size: tuple[int, int] = SIZE,
    counts: dict[str, int] = COUNTS,
    *,
    kind: Kind = "tissue",
) -> Path:
    """Draw the data set into a new folder, including `dataset.json`, and return the folder.

    Args:
        output_dir: a folder that is empty or does not exist.
        seed: the same seed gives the same files.
        size: (H, W) of the images in pixels.
        counts: images per split.
        kind: what is drawn.

    Raises:
        UserError: the folder exists and is not empty, or cannot be written; no such kind.
    """
    output_dir = Path(output_dir)
    if kind not in get_args(Kind):
        raise UserError(f"kind {kind!r}: give one of {', '.join(get_args(Kind))}")
    splits = [split for split, count in counts.items() for _ in range(count)]
    generators = np.random.default_rng(seed).spawn(len(splits))
    items: dict[str, list[dict[str, str]]] = {split: [] for split in counts}
    with new_folder(output_dir) as folder, ThreadPoolExecutor() as pool:
        drawn = pool.map(draw_tissue if kind == "tissue" else draw_cells, generators, [size] * len(splits))
        for number, (split, (image, label)) in enumerate(zip(splits, drawn, strict=True)):
            item = {key: f"{split}/{key}/{number:02d}.png" for key in ("image", "label")}
            if kind == "cells":
                item["image"] = item["image"].replace(".png", ".ome.tif")
                write_channels(folder / item["image"], image, CHANNELS)
            else:
                write_image(folder / item["image"], image)
            write_image(folder / item["label"], label)
            items[split].append(item)
        channels = {str(index): name for index, name in enumerate(CHANNELS)} if kind == "cells" else None
        about = {**_ABOUT[kind], "seed": str(seed)}
        write_dataset(folder, about, "classes", _LABELS[kind], items, channels=channels)
    return output_dir


def ensure_synthetic(output_dir: str | os.PathLike[str], kind: Kind = "tissue") -> Path:
    """The folder with a built-in data set, drawn if it is not there yet. Several processes may ask at once.

    Raises:
        UserError: the folder holds something else, or cannot be written.
    """
    output_dir = Path(output_dir)
    if (output_dir / FILE_NAME).is_file():
        return output_dir
    try:
        return make_synthetic(output_dir, kind=kind)
    except UserError:
        if (output_dir / FILE_NAME).is_file():  # another process was quicker
            return output_dir
        raise
