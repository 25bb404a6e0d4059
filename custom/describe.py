"""The description of a model that a training writes into `model.json`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from monai.bundle import ConfigParser
from torch import nn

from .classes import output_names
from .config import active_parser, plain_config
from .data import Datalist, read_item
from .data.channels import GRAY
from .data.gray import contrast_of
from .inferers.geometry import geometry_of
from .model import ClassInfo, GrayValues, Model, Postprocessing
from .networks.build import short_targets
from .trained_images import RECORD, record

# Settings of a training that affect the scores of the model, or that readers ask for first.
MEASURED = 20  # training images whose contrast is measured
RECORDED = (
    "init_model",
    "seed",
    "border_width",
    "copied_cells",
    "best_by",
    "class_weights",
    "train#weight_map#w0",
    "train#weight_map#sigma",
    "train#weight_map#border_everywhere",
    "input_size",
    "batch_size",
    "learning_rate",
    "steps_per_epoch",
)


def describe_run() -> Model:
    """The model of the current training, from its configuration; without weights and scores."""
    parser = active_parser()
    value = parser.get_parsed_content
    data, network = value("data"), value("network_def")
    about = data.about
    classes = [
        ClassInfo(name=name, value=number) for name, number in zip(data.class_names, _mask_values(data), strict=True)
    ]
    return Model(
        name=value("name"),
        description=f"U-Net trained on {about['name']}. {about.get('description', '')}".strip(),
        task=f"Segmentation of {', '.join(data.class_names)} in 2D microscopy images",
        license=about.get("licence", "") or "not stated by the data set",
        data_source=about["name"],
        references=[about["reference"]] if "reference" in about else [],
        network_def=getattr(network, "definition", None) or short_targets(plain_config(parser, "network_def")),
        network_data_format=data_format(network, output_names(data.class_names, value("contact")), _channel_def(data)),
        classes=classes,
        contact=value("contact"),
        channels=list(data.channel_names),
        gray_values=_gray_values(data),
        scale=value("scale") if "scale" in parser else 1.0,
        pixel_size=data.pixel_size,
        orientations=value("test_orientations"),
        postprocessing=_postprocessing(parser, output_names(data.class_names, value("contact"))),
        training={
            "experiment": value("name"),
            "training_images": len(data.training),
            "validation_images": len(data.validation),
            **{key.rpartition("#")[-1]: value(key) for key in RECORDED if key in parser},
            RECORD: record(data, value("initial")),
        },
        monai_version=_version("monai"),
        pytorch_version=_version("torch"),
        numpy_version=_version("numpy"),
    )


def _postprocessing(parser: ConfigParser, outputs: tuple[str, ...]) -> Postprocessing:
    """The configured one, with the threshold of the model that the training starts from, until validation fits one."""
    value = parser.get_parsed_content
    keys = ("method", "min_size", "grow", "sigma", "height")
    post = Postprocessing(**{key: value(key) for key in keys if key in parser})
    initial: Model | None = value("initial")
    if initial is not None and initial.postprocessing.method == post.method:
        names = initial.output_names
        reordered = names != outputs and sorted(names) == sorted(outputs)
        if len(names) == len(outputs) and not reordered:  # then each output stays what it was, see `state_for`
            post.threshold, post.fitted_on = initial.postprocessing.threshold, initial.postprocessing.fitted_on
    return post


def data_format(network: nn.Module, outputs: tuple[str, ...], channels: Sequence[str]) -> dict[str, Any]:
    """`network_data_format` of MONAI's schema; a height or width is an expression in n."""
    geometry = geometry_of(network)
    smallest = geometry.next_admissible(1)
    common = {"type": "image", "dtype": "float32", "is_patch_data": True}
    return {
        "inputs": {
            "image": {
                **common,
                "format": "magnitude",
                "modality": "microscopy",
                "num_channels": len(channels),
                "spatial_shape": [f"{geometry.divisor}*n+{smallest}"] * 2,
                "value_range": [0, 1],
                "channel_def": {str(index): name for index, name in enumerate(channels)},
            }
        },
        "outputs": {
            "pred": {
                **common,
                "format": "segmentation",
                "num_channels": len(outputs),
                "spatial_shape": [f"{geometry.divisor}*n+{smallest - 2 * geometry.margin}"] * 2,
                "value_range": [],
                "channel_def": {str(index): name for index, name in enumerate(outputs)},
            }
        },
    }


def _channel_def(data: Datalist) -> tuple[str, ...]:
    """What each channel is; one without a name is described by the data set's `channel`."""
    return (data.about.get("channel", "gray values"),) if data.channel_names == GRAY else data.channel_names


def _gray_values(data: Datalist) -> GrayValues | list[GrayValues]:
    """Of one channel, or one for each of several."""
    measured = data.training[:MEASURED]
    if len(data.channel_names) == 1:
        return GrayValues(contrast=contrast_of(read_item(item) for item in measured))
    images = [read_item(item) for item in measured]
    planes = range(len(data.channel_names))
    return [GrayValues(contrast=contrast_of(image[..., plane] for image in images)) for plane in planes]


def _mask_values(data: Any) -> list[int]:
    """Value of each class in predicted masks: 0 and 255 for two classes, otherwise those of the data."""
    values = data.label_format.values
    return [0, 255] if len(data.class_names) == 2 else list(values)


def _version(package: str) -> str:
    return version(package).partition("+")[0]  # a build's suffix, such as +cpu, is not part of the release
