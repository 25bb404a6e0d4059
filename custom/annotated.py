"""Training of a packaged model: on a data set, or on pairs of image and label that MONAI Label gives."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from .config import active_parser
from .constants import IGNORED
from .data.channels import Channel, as_channel
from .data.datalist import Datalist, read_dataset
from .data.inputs import every_channel
from .data.labels import LabelFormat
from .describe import describe_run
from .errors import UserError
from .model import Model
from .trained_images import RECORD, record

GIVEN = ("train#dataset#data", "validate#dataset#data")  # ids that MONAI Label sets to lists of pairs
ORIGIN = "; annotations made with MONAI Label"


def label_format_of(model: Model) -> LabelFormat:
    """What the values of an annotator's label mean.

    For two classes: 0 is the first, and any one other value the second. For more: the number of the class, and 255
    where nothing is known.
    """
    if len(model.classes) == 2:
        return LabelFormat()
    return LabelFormat("classes", tuple(range(len(model.classes))), IGNORED)


def data_for(model: Model, dataset_dir: str | os.PathLike[str] | None) -> Datalist:
    """The data set in a folder; without one, the pairs that the configuration was given in place of its lists.

    Such pairs have the classes and channels of the model; without any, all lists are empty. To be called from an
    expression of the configuration.

    Raises:
        UserError: as `read_dataset`, or `channel_of` a pair.
    """
    if dataset_dir is not None:
        return read_dataset(dataset_dir)
    parser, label_format = active_parser(), label_format_of(model)

    def items(id: str) -> list[dict[str, Any]]:
        pairs = parser.get(id)
        if not isinstance(pairs, list):
            return []
        return [{**pair, "channel": channel_of(pair, model), "label_format": label_format} for pair in pairs]

    training, validation = (items(id) for id in GIVEN)
    return Datalist(
        folder=Path(training[0]["image"]).parent if training else Path.cwd(),
        label_format=label_format,
        class_names=tuple(part.name for part in model.classes),
        training=training,
        validation=validation,
        test=[],
        about={"name": f"images annotated for {model.name}"},
        channel_names=tuple(model.channels),
    )


def channel_of(pair: dict[str, Any], model: Model) -> Channel:
    """Channels of an image, as the pair names them; else all of its file.

    Raises:
        UserError: the file has another number of channels than the model.
    """
    if pair.get("channel") is not None:
        return as_channel(pair["channel"])
    return every_channel(Path(pair["image"]), pair.get("axes"), model.channels)


def require_images(data: Datalist) -> None:
    """Raise `UserError` if there is nothing to train on: no data set was named, and no pairs were given."""
    if not data.training:
        raise UserError("--dataset_dir is needed: the bundle holds no images; give a folder with dataset.json")


def describe(model: Model, data: Datalist, dataset_dir: str | os.PathLike[str] | None) -> Model:
    """The description of the model that a training of a packaged model writes.

    Of a data set it is that of any training; trained on annotators' pairs, a model keeps its names, values, terms and
    settings. To be called from an expression of the configuration.
    """
    if dataset_dir is not None:
        return describe_run()
    counts = {"training_images": len(data.training), "validation_images": len(data.validation)}
    changes = {
        "data_source": model.data_source.removesuffix(ORIGIN) + ORIGIN,
        "training": {**model.training, **counts, RECORD: record(data, model)},
        "scores": [],
    }
    return model.model_copy(update=changes, deep=True)
