"""The settings that a training depends on, compared when it is resumed."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .classes import output_names
from .config import active_parser, plain_config
from .data.datalist import FILE_NAME, Datalist
from .errors import UserError
from .files import relative_path

# Ids that may change when a training is resumed: where and how it runs, when it ends and what it reports. They do not
# affect the steps already taken (except for rounding on another device).
FREE = (
    "_meta_",
    "imports",
    "bundle_root",
    "name",
    "experiment",
    "output_dir",
    "dataset_dir",
    "data",
    "listed",
    "train_on_all",
    "resume",
    "overwrite",
    "rank",
    "world_size",
    "device",
    "bfloat16",
    "max_epochs",
    "time_limit",
    "val_interval",
    "model_dir",
    "flat_weights",
    "model_saver",
    "method",
    "sigma",
    "height",
    "min_size",
    "grow",
    "orientations",
    "test_orientations",
    "early_stop",
    "checkpoint",
    "replaced",
    "progress_bar",
    "initialize",
    "prepare",
    "finalize",
    "training",
    "run",
    "train#handlers",
    "train#key_metric",
    "train#trainer#max_epochs",
    "validate#handlers",
    "validate#key_metric",
    "validate#additional_metrics",
    "validate#inferer",
)
SHOWN = 60  # characters of a value in a message


def training_settings(data: Datalist) -> str:
    """JSON of everything that the current training depends on: its configuration, and the images and labels.

    Call it from an expression of the configuration.
    """
    config = {key: value for key, value in _flat(active_parser().get()).items() if not _is_free(key)}
    images = {f"{split} images": _hash_items(data, split) for split in ("training", "validation")}
    return json.dumps({**config, **images}, sort_keys=True, default=str)


def differences(before: str, now: str) -> list[str]:
    """Settings that differ, as `id: before, now ...`."""
    old, new = json.loads(before), json.loads(now)
    changed = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
    return [_difference(key, _shown(old.get(key)), _shown(new.get(key))) for key in changed]


def _difference(key: str, before: str, now: str) -> str:
    if key.endswith("images"):
        return f"other {key}"
    return f"{key}: {before}, now {now}" if before != now else f"other {key}"


def _is_free(key: str) -> bool:
    return any(key == free or key.startswith(f"{free}#") for free in FREE)


def _flat(config: Any, prefix: str = "") -> dict[str, Any]:
    """Values by id; a list is one value."""
    if not isinstance(config, dict) or not config:
        return {prefix: config}
    flat = {}
    for key, value in config.items():
        flat.update(_flat(value, f"{prefix}#{key}" if prefix else str(key)))
    return flat


def _hash_items(data: Datalist, split: str) -> str:
    """Hash of the names and sizes of the files, since reading their contents would take too long."""
    files = [
        [relative_path(item[key], data.folder), Path(item[key]).stat().st_size]
        for item in getattr(data, split)
        for key in ("image", "label")
        if key in item
    ]
    text = json.dumps([files, str(data.label_format)])
    return hashlib.sha256(text.encode()).hexdigest()


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def require_contact(contact: bool, method: str, data: Datalist) -> None:
    """Raise `UserError` if contact is to be learned from labels without instances, or used without being learned."""
    if contact and data.label_format.kind != "instances":
        raise UserError(
            f"--contact true: the labels of {data.folder} are classes, and contact is learned from instances; "
            "give a data set whose `label_kind` is instances, or train without contact"
        )
    if method == "contact" and not contact:
        raise UserError("--method contact: needs --contact true; or choose components or watershed")


def require_instances_to_copy(copied_cells: float, data: Datalist) -> None:
    """Raise `UserError` if cells are to be copied in a data set whose labels do not tell them apart."""
    if copied_cells and data.label_format.kind != "instances":
        raise UserError(
            f"--copied_cells {copied_cells:g}: the labels of {data.folder} are classes; give a data set whose "
            "`label_kind` is instances, or 0"
        )


def require_fitting_network(data: Datalist, contact: bool = False) -> None:
    """Raise `UserError` unless the network being trained has the channels and classes of the data set, and contact.

    To be called from an expression of the configuration.
    """
    parser = active_parser()
    network = parser.get_parsed_content("network_def")
    definition = getattr(network, "definition", None) or plain_config(parser, "network_def")
    outputs = output_names(data.class_names, contact)
    wanted = {"in_channels": ("channels", data.channel_names), "out_channels": ("classes", outputs)}
    for argument, (what, names) in wanted.items():
        given = _argument(definition, argument)
        if given is not None and given != len(names):
            raise UserError(
                f"network_def: is for {given} {what}, {data.folder / FILE_NAME} has {len(names)} ({', '.join(names)}); "
                f"give the data set's number as --network_def#{argument}, or another --dataset_dir"
            )


def require_class_weights(class_weights: float | Sequence[float] | None, data: Datalist, contact: bool) -> None:
    """Raise `UserError` unless a list of weights has one for each class, and for contact where that is learned."""
    names = output_names(data.class_names, contact)
    if isinstance(class_weights, Sequence) and len(class_weights) != len(names):
        raise UserError(
            f"--class_weights {list(class_weights)}: are {len(class_weights)} weights, {data.folder / FILE_NAME} needs "
            f"{len(names)} ({', '.join(names)}); give one for each, or a single number for all"
        )


def require_classes(data: Datalist) -> None:
    """Warn of classes that are not learned, since no label for training has them. Pairs of annotators are not checked.

    Raises:
        UserError: all pixels for training are ignored; or the labels for validation hold one class alone, of which
            weights that were never trained find every pixel.
    """
    where, seen = data.folder / FILE_NAME, data.seen
    if not seen:
        return
    if not seen["training"]:
        raise UserError(f"{where}: every pixel of the labels of `training` is ignored; check `ignore_value`")
    if len(seen["validation"]) == 1:
        (only,) = seen["validation"]
        raise UserError(
            f"{where}: the labels of `validation` hold the class {data.class_names[only]!r} alone, by which no weights "
            "can be chosen; name images with another class, too, or none"
        )
    missing = [name for index, name in enumerate(data.class_names) if index not in seen["training"]]
    if missing:
        warnings.warn(f"{where}: no label of `training` holds {', '.join(missing)}: it is not learned", stacklevel=2)


def _argument(definition: Any, name: str) -> Any:
    """An argument of a network or of a network in it; None if there is none."""
    if not isinstance(definition, dict):
        return None
    return definition.get(name) or next(filter(None, (_argument(part, name) for part in definition.values())), None)


def require_validation(data: Datalist, plateau: bool) -> None:
    """Warn that a training without validation images has no scores.

    Raises:
        UserError: the schedule of the learning rate needs them, too.
    """
    if data.validation:
        return
    if plateau:
        raise UserError(
            f"{data.folder / FILE_NAME}: the `validation` list is empty, and the schedule follows the validation loss; "
            "name images for validation, or give --lr_scheduler @schedules#one_cycle"
        )
    warnings.warn(
        "no validation images: the model gets the last weights, the threshold of the model that it starts from "
        "(0.5 without one) and no score",
        stacklevel=2,
    )
