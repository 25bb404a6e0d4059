"""Selection of the images to score, and checks before an evaluation."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from .constants import FOREGROUND, IGNORED
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
    """Raise `UserError` unless a data set has as many channels and classes as a model, and those of its names in order.

    Other names are allowed, because two data sets may call one thing differently.
    """
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
    for key, theirs, own in (("channels", data.channel_names, model.channels), ("labels", data.class_names, names)):
        moved = [name for name, other in zip(theirs, own, strict=True) if name != other and name in own]
        if moved:
            raise UserError(
                f"{where}: names {', '.join(theirs)} in `{key}`, model {model.name} has {', '.join(own)}; "
                "give them in the model's order"
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


def require_measure(best_by: str, method: str, data: Datalist) -> None:
    """Raise `UserError` unless the weights of a training on a data set can be chosen by a measure."""
    where, count = data.folder / FILE_NAME, len(data.class_names)
    if best_by == "pixel_error":
        return
    if count > 2:
        raise UserError(f"--best_by {best_by}: is for two classes, {where} has {count}; give pixel_error")
    instances = data.label_format.kind == "instances"
    if best_by == "seg" and not instances:
        raise UserError(f"--best_by seg: {where} labels classes, not instances; give v_rand or pixel_error")
    if best_by == "seg" and method == "contact":
        raise UserError("--best_by seg: does not measure --method contact; give watershed, and tune the model later")
    if best_by == "v_rand" and instances:
        raise UserError(f"--best_by v_rand: is for classes, {where} labels instances; give seg or pixel_error")


def require_objects(best_by: str, dataset: Any) -> None:
    """Raise `UserError` if there are validation images, but no object in any that the measure could distinguish.

    Without an instance there is no SEG. V_rand of an image without foreground is 0, and of one without background it is
    1 for the lowest threshold, whatever the network says.

    Args:
        best_by: the measure that chooses the weights; `pixel_error` needs no objects.
        dataset: items with `instance`, or the class indices `label`.
    """
    if best_by not in _OBJECTS:
        return
    what, has_objects = _OBJECTS[best_by]
    if len(dataset) and not any(has_objects(item) for item in dataset):
        raise UserError(
            f"--best_by {best_by}: no validation image has {what}; name one that has in `validation`, "
            "or give pixel_error"
        )


def _has_cell(item: dict[str, Any]) -> bool:
    return bool((np.asarray(item["instance"]) > 0).any())


def _has_both_classes(item: dict[str, Any]) -> bool:
    return {0, FOREGROUND} <= set(np.unique(item["label"]).tolist())


_OBJECTS = {"seg": ("a labelled cell", _has_cell), "v_rand": ("both classes in its label", _has_both_classes)}


def clear_scores(folder: str | os.PathLike[str]) -> None:
    """Remove the scores of an earlier evaluation from a folder, so that they are not taken for new ones.

    Raises:
        UserError: the folder cannot be written.
    """
    folder = require_writable(folder)
    for file in [folder / "metrics.csv", *folder.glob("*_raw.csv")]:
        Path(file).unlink(missing_ok=True)
