"""Dictionary transform that loads an image and its mask as tensors, (C, H, W), in this project's value ranges."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform
from numpy.typing import NDArray

from ..errors import UserError
from .channels import as_channel, count_of
from .gray import GrayRule, GrayRules, gray_rules
from .image_io import READING, STATE, count_pages, read_image, read_mask, require_shape, require_unchanged
from .inputs import every_channel
from .labels import LabelFormat, instance_classes, parse_class_mask, parse_instance_mask


class LoadMicroscopyd(MapTransform):
    """Load the image, and the mask if the item has one.

    The item holds the paths `image` and, optionally, `label`; `page`, of both image and mask, for multi-page TIFFs;
    `channel`, one or several, and `axes`, for images that need them (see `read_image`); `label_format`, a
    `LabelFormat`, as added by `read_dataset`; and `state`, as added by `find_images`. Without `label_format` the mask
    has 0 for class 0 and one other value for class 1. The result holds

    - `image`: float32 (C, H, W) in [0, 1] by `gray_rule`, one plane unless the item names several channels;
    - `label`: uint8 (1, H, W) class indices, 255 = ignore; of an instance mask 0 = background, 1 = object;
    - `instance`, of an instance mask only: int32 (1, H, W), 0 = background, -1 = ignore.

    All are `MetaTensor` with `filename_or_obj`, `spatial_shape`, `page`, `pages` (of the file) and an identity affine.
    `label_format`, `page`, `channel`, `axes` and `state` are removed, so that items collate.

    Args:
        keys: of image and mask, in this order; that of the mask is optional, and so is the mask of an item.
        instance_key: key of the instance ids in the result.
        label_format: for items without one.
        gray_rule: conversion to gray values; a trained model defines its own, for each of its channels.

    Raises:
        UserError: a file that cannot be read or has another `state`, a mask with unexpected values, image and mask of
            different shape.
    """

    def __init__(
        self,
        keys: KeysCollection = ("image", "label"),
        instance_key: str = "instance",
        label_format: LabelFormat | None = None,
        gray_rule: GrayRule | GrayRules | None = None,
    ) -> None:
        super().__init__(keys, allow_missing_keys=True)
        if len(self.keys) not in (1, 2):
            raise UserError(f"keys: {self.keys}; give the key of the image, or of image and label")
        self.image_key: Hashable = self.keys[0]
        self.label_key: Hashable | None = self.keys[1] if len(self.keys) == 2 else None
        self.instance_key = instance_key
        self.label_format = label_format or LabelFormat()
        self.gray_rule = gray_rule

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        item = dict(data)
        reading, state = {key: item.pop(key) for key in READING if key in item}, item.pop(STATE, None)
        if "channel" in reading:
            reading["channel"] = as_channel(reading["channel"])  # a list, in items that come from a configuration
        page: int | None = reading.get("page")
        label_format: LabelFormat = item.pop("label_format", self.label_format)
        image_path = Path(item[self.image_key])
        rule = self.gray_rule or gray_rules([GrayRule()] * count_of(reading.get("channel")))
        if "channel" not in reading and rule.channels > 1:
            names = [f"channel {number}" for number in range(rule.channels)]
            reading["channel"] = every_channel(image_path, reading.get("axes"), names)
        planes = rule.planes(read_image(image_path, **reading), str(image_path))
        pages = count_pages(image_path, reading.get("axes"))
        require_unchanged(image_path, state)
        item[self.image_key] = _to_tensor(planes, image_path, page, pages)
        if item.get(self.label_key) is None:
            item.pop(self.label_key, None)
            return item
        label_path = Path(item[self.label_key])
        mask = read_mask(label_path, page)
        require_shape(mask, label_path, image_path, planes.shape[1:])
        if label_format.kind == "instances":
            instances = parse_instance_mask(mask, label_format, label_path)
            item[self.instance_key] = _to_tensor(instances[None], label_path, page, pages)
            classes = instance_classes(instances)
        else:
            classes = parse_class_mask(mask, label_format, label_path)
        item[self.label_key] = _to_tensor(classes[None], label_path, page, pages)
        return item


def _to_tensor(planes: NDArray, path: str | os.PathLike[str], page: int | None, pages: int) -> MetaTensor:
    meta = {"filename_or_obj": str(path), "spatial_shape": np.asarray(planes.shape[1:]), "page": page or 0}
    return MetaTensor(torch.from_numpy(planes), affine=torch.eye(4, dtype=torch.float64), meta={**meta, "pages": pages})


LoadMicroscopyD = LoadMicroscopyDict = LoadMicroscopyd
