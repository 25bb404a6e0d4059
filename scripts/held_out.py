"""Held-out images of a data set with their labels."""

from __future__ import annotations

import argparse
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from custom.data import read_dataset
from custom.data.datalist import SPLITS
from custom.data.image_io import read_item
from custom.data.load import LoadMicroscopyd
from custom.errors import UserError

from .command import DATASET


@dataclass(frozen=True)
class Example:
    """One annotated image.

    Attributes:
        name: of the image's file, without suffix.
        pixels: as stored in the file, (H, W) or (H, W, C).
        label: class indices (H, W), 255 where ignored.
        instances: ids (H, W), 0 background, -1 ignored; None for data whose labels are classes.
    """

    name: str
    pixels: NDArray[Any]
    label: NDArray[np.uint8]
    instances: NDArray[np.int32] | None

    @property
    def has_cells(self) -> bool:
        """Whether it has a labelled cell; an image without one does not count in SEG."""
        return self.instances is not None and bool((self.instances > 0).any())


def add_held_out_options(parser: argparse.ArgumentParser) -> None:
    """Add `--dataset`, also called `--dataset_dir`, and `--split`."""
    parser.add_argument(*DATASET, type=Path, required=True, metavar="FOLDER", help="folder with dataset.json")
    parser.add_argument("--split", default="validation", choices=SPLITS, help="which images")


def read_examples(dataset: Path, split: str) -> list[Example]:
    """The annotated images of a split of a data set folder.

    Raises:
        UserError: a broken data set, or no annotated image in the split.
    """
    data = read_dataset(dataset)
    items = [item for item in getattr(data, split) if "label" in item]
    if not items:
        raise UserError(f"{dataset}: no annotated image in `{split}` of dataset.json; give another --split")
    return [_read(item) for item in items]


def _read(item: dict[Hashable, Any]) -> Example:
    loaded = LoadMicroscopyd()(item)
    instances = loaded.get("instance")
    return Example(
        name=Path(item["image"]).stem,
        pixels=read_item(item),
        label=loaded["label"].numpy()[0],
        instances=None if instances is None else instances.numpy()[0],
    )
