"""Selection of the images to score, and checks before an evaluation."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from .constants import IGNORED
from .data.datalist import FILE_NAME, SPLITS, Datalist
from .data.inputs import named_channels
from .errors import UserError
from .files import require_writable
from .model import Model


def labelled_items(data: Datalist, split: str) -> list[dict[str, Any]]:
    """The items of a split that have a label.

    Raises:
        UserError: there is no such split, none of its images has a label, or two have the same name, by which results
            are written and found again.
    """
    labelled = {name: [item for item in getattr(data, name) if "label" in item] for name in SPLITS}
    known = ", ".join(name for name in SPLITS if labelled[name])
    if split not in SPLITS:
        raise UserError(f"--split {split}: no such list of images; {data.folder / FILE_NAME} has labels for {known}")
    if not known:
        raise UserError(f"--dataset_dir: no labelled images in {data.folder}; give a folder with dataset.json")
    if not labelled[split]:
        raise UserError(
            f"--split {split}: {data.folder / FILE_NAME} names no label for it, so there is nothing to score; "
            f"it has labels for {known}"
        )
    stems: dict[str, str] = {}
    for item in labelled[split]:
        one, other = item["image"], stems.setdefault(Path(item["image"]).stem, item["image"])
        if one != other:
            raise UserError(
                f"{data.folder / FILE_NAME}: {other} and {one} of the {split} list would get results of one name; "
                "rename one of them"
            )
    return labelled[split]


def require_fitting_data(model: Model, data: Datalist) -> None:
    """Raise `UserError` unless a data set has as many channels and classes as a model."""
    where = data.folder / FILE_NAME
    if len(model.channels) != len(data.channel_names):
        raise UserError(
            f"{where}: its images have {named_channels(data.channel_names)}, model {model.name} takes "
            f"{named_channels(model.channels)}; give as many in `channels`"
        )
    names = [part.name for part in model.classes]
    if len(names) != len(data.class_names):
        raise UserError(
            f"{where}: has {len(data.class_names)} classes ({', '.join(data.class_names)}), model {model.name} "
            f"{len(names)} ({', '.join(names)}); give as many in `labels`"
        )


def require_labelled_pixels(dataset: Any, split: str) -> None:
    """Raise `UserError` if all pixels of all labels are ignored, in which case every score would be perfect.

    Args:
        dataset: items with the class indices `label`.
        split: name of the split, for the message.
    """
    if len(dataset) and all(bool(np.all(np.asarray(item["label"]) == IGNORED)) for item in dataset):
        raise UserError(
            f"{split}: every pixel of its labels is ignored, so there is nothing to score; "
            f"check `ignore_value` in {FILE_NAME}, or label some pixels"
        )


def clear_scores(folder: str | os.PathLike[str]) -> None:
    """Make a folder for scores, and remove those of an earlier evaluation, so that they are not taken for new ones.

    Raises:
        UserError: the folder cannot be written.
    """
    folder = require_writable(folder)
    for file in [folder / "metrics.csv", *folder.glob("*_raw.csv")]:
        Path(file).unlink(missing_ok=True)
