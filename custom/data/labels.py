"""What the pixel values of a data set's masks mean, and how they become class indices or instance ids."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..constants import FOREGROUND, IGNORED, IGNORED_INSTANCE
from ..errors import UserError

LabelKind = Literal["classes", "instances"]


@dataclass(frozen=True)
class LabelFormat:
    """Meaning of mask values.

    Example:
        >>> label_format = LabelFormat("classes", values=(0, 100, 255), ignore=7)
        >>> parse_class_mask(np.array([[0, 255, 7, 100]]), label_format, Path("mask.png")).tolist()
        [[0, 2, 255, 1]]

    Args:
        kind: "classes": a value per class; "instances": 0 is background, any other value is one object.
        values: for "classes", the pixel value of class 0, 1, ...; empty: 0 is class 0, the one other value is class 1.
        ignore: value of pixels that are ignored by losses and metrics, if any.
    """

    kind: LabelKind = "classes"
    values: tuple[int, ...] = ()
    ignore: int | None = None


def parse_class_mask(mask: NDArray, label_format: LabelFormat, path: Path) -> NDArray[np.uint8]:
    """Class indices (H, W), 255 where ignored, of a mask (H, W) of pixel values.

    Raises:
        UserError: the mask has values that the format does not declare; the message names `path`.
    """
    ignored = _ignored(mask, label_format)
    present = {int(value) for value in np.unique(mask[~ignored])}
    values = label_format.values or _two_values(present, path)
    unexpected = sorted(present - set(values))
    if unexpected:
        known = ", ".join(map(str, values)) + (
            "" if label_format.ignore is None else f" (ignore {label_format.ignore})"
        )
        raise UserError(f"{path}: unexpected mask values {_listed(unexpected)}; the data set declares {known}")
    classes = np.full(mask.shape, IGNORED, np.uint8)
    for index, value in enumerate(values):
        classes[(mask == value) & ~ignored] = index
    return classes


def parse_instance_mask(mask: NDArray, label_format: LabelFormat, path: Path) -> NDArray[np.int32]:
    """Instance ids (H, W), 0 background and -1 where ignored, of a mask (H, W) of pixel values.

    Raises:
        UserError: an id is negative or beyond int32.
    """
    ignored = _ignored(mask, label_format)
    outside = [int(value) for value in np.unique(mask[~ignored]) if not 0 <= value <= np.iinfo(np.int32).max]
    if outside:
        raise UserError(f"{path}: unexpected mask values {_listed(outside)}; instance ids are 0 to 2147483647")
    instances = np.where(ignored, 0, mask).astype(np.int32)
    instances[ignored] = IGNORED_INSTANCE
    return instances


def instance_classes(instances: NDArray) -> NDArray[np.uint8]:
    """Classes (H, W) of instance ids (H, W): 0 background, 1 object, 255 where ignored."""
    classes = np.where(instances > 0, np.uint8(FOREGROUND), np.uint8(0))
    classes[instances == IGNORED_INSTANCE] = IGNORED
    return classes


def _ignored(mask: NDArray, label_format: LabelFormat) -> NDArray[np.bool_]:
    return np.zeros(mask.shape, bool) if label_format.ignore is None else np.asarray(mask == label_format.ignore)


def _two_values(present: set[int], path: Path) -> tuple[int, ...]:
    others = sorted(present - {0})
    if len(others) > 1:
        raise UserError(
            f"{path}: unexpected mask values {_listed(others)}; a mask without a declared meaning has 0 and one other "
            "value (declare more in `labels` of dataset.json)"
        )
    return (0, *others)


def _listed(values: list[int]) -> str:
    return ", ".join(map(str, values[:8])) + (f" and {len(values) - 8} more" if len(values) > 8 else "")
