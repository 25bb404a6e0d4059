"""What several classes add to the result: values of the mask, a channel of the image for each, names and colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from custom.data.channels import class_colours
from custom.model import ClassInfo

TWO = (ClassInfo(name="background", value=0), ClassInfo(name="foreground", value=255))


def channels_of(classes: Sequence[ClassInfo]) -> tuple[int, ...]:
    """Leading axes of the probabilities: none of two classes, else one of as many channels."""
    return () if len(classes) == 2 else (len(classes),)


def mask_values(classes: Sequence[ClassInfo]) -> NDArray[np.unsignedinteger]:
    """Value of each class in the mask: 0 and 1 of two."""
    values = [0, 1] if len(classes) == 2 else [part.value for part in classes]
    return np.array(values, np.uint8 if max(values) < 256 else np.uint16)


def describe_channels(metadata: dict[str, Any], classes: Sequence[ClassInfo]) -> dict[str, Any]:
    """OME-Zarr metadata of an image (Z, H, W) as those of one with a channel for each class, (K, Z, H, W)."""
    (multiscale,) = metadata["multiscales"]
    multiscale["axes"].insert(0, {"name": "c", "type": "channel"})
    for dataset in multiscale["datasets"]:
        scaling, translation = dataset["coordinateTransformations"]
        scaling["scale"].insert(0, 1.0)
        translation["translation"].insert(0, 0.0)
    window = {"start": 0, "end": 1, "min": 0, "max": 1}
    channels = [
        {"label": part.name, "color": "{:02X}{:02X}{:02X}".format(*rgb), "window": window, "active": index > 0}
        for index, (part, rgb) in enumerate(zip(classes, class_colours(len(classes)), strict=True))
    ]
    return {**metadata, "omero": {"channels": channels}}


def describe_values(metadata: dict[str, Any], classes: Sequence[ClassInfo]) -> dict[str, Any]:
    """OME-Zarr metadata of a mask with names and colours of the values."""
    pairs = list(zip(classes, class_colours(len(classes)), strict=True))
    label = {
        **metadata["image-label"],
        "colors": [{"label-value": part.value, "rgba": [*rgb, 255]} for part, rgb in pairs],
        "properties": [{"label-value": part.value, "class": part.name} for part in classes],
    }
    return {**metadata, "image-label": label}
