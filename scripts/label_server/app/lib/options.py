"""Options of a request, checked against a list.

MONAI Label puts options into the bundle's configs, where a text that begins with `$` is run as code. Options that are
not in the list are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .names import RequestError, check_tag, shown

Check = Callable[[str, Any], Any]


def check_options(request: dict[str, Any], known: dict[str, Check]) -> dict[str, Any]:
    """The options of `request` that are in `known`, each checked; None means not given.

    A list stands for its first value, because clients send back a list of choices when nothing was chosen.

    Raises:
        RequestError: a value of a wrong type or out of range, or a type of pixels that the file format lacks.
    """
    checked: dict[str, Any] = {}
    for key in known.keys() & request.keys():
        value = request[key]
        if isinstance(value, list) and key not in LISTS:
            value = value[0] if value else None
        if value is not None:
            checked[key] = known[key](key, value)
    dtype = checked.get("result_dtype")
    if dtype not in (None, "uint8", "uint16") and checked.get("result_extension", ".png") == ".png":
        raise RequestError(
            400, f"result_dtype: PNG has no {dtype}; give uint8 or uint16, or a result_extension of .tif"
        )
    return checked


def one_of(*choices: str) -> Check:
    """One of some words."""

    def check(key: str, value: Any) -> str:
        if not isinstance(value, str) or value not in choices:
            raise RequestError(400, f"{key}: {shown(value)}; give one of {', '.join(choices)}")
        return value

    return check


def integer(low: int, high: int) -> Check:
    """An integer from `low` to `high`."""

    def check(key: str, value: Any) -> int:
        if type(value) is not int or not low <= value <= high:
            raise RequestError(400, f"{key}: {shown(value)}; give an integer from {low} to {high}")
        return value

    return check


def pair(low: int) -> Check:
    """Two integers [x, y] of at least `low`."""

    def check(key: str, value: Any) -> list[int]:
        if not isinstance(value, list | tuple) or len(value) != 2:
            raise RequestError(400, f"{key}: {shown(value)}; give two integers")
        return [integer(low, LARGEST)(key, number) for number in value]

    return check


def fraction(key: str, value: Any) -> float:
    """A number from 0 to less than 1."""
    if type(value) not in (int, float) or not 0 <= value < 1:
        raise RequestError(400, f"{key}: {shown(value)}; give a number from 0 to less than 1")
    return float(value)


def boolean(key: str, value: Any) -> bool:
    """True or false."""
    if type(value) is not bool:
        raise RequestError(400, f"{key}: {shown(value)}; give true or false")
    return value


def full_size(key: str, value: Any) -> int:
    """The level 0 of an image."""
    if type(value) is not int or value != 0:
        raise RequestError(400, f"{key}: {shown(value)}; location and size are pixels of the image itself: give 0")
    return value


def word(key: str, value: Any) -> str:
    """A tag."""
    return check_tag(value)


def names(key: str, value: Any) -> str | list[str]:
    """Names of images, or a word for some of them."""
    if not isinstance(value, str) and not (isinstance(value, list) and all(isinstance(name, str) for name in value)):
        raise RequestError(400, f"{key}: {shown(value)}; give a list of names, or all, labeled or unlabeled")
    return value


LARGEST = 1 << 31
LISTS = ("location", "size", "images")
RESULT: dict[str, Check] = {
    "result_extension": one_of(".png", ".tif", ".tiff", ".nii.gz", ".nii", ".nrrd", ".seg.nrrd"),
    "result_dtype": one_of("uint8", "uint16", "int16", "int32", "float32"),
    "result_compress": boolean,
    "logging": one_of("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"),
    "label_tag": word,
}
INFER: dict[str, Check] = {
    **RESULT,
    "save_label": boolean,
    "output": one_of("asap", "dsa", "json", "image", "all"),
    "level": full_size,
    "location": pair(-LARGEST),
    "size": pair(0),
    "min_poly_area": integer(0, LARGEST),
}
BATCH: dict[str, Check] = {**RESULT, "images": names, "max_batch_size": integer(0, LARGEST)}
TRAIN: dict[str, Check] = {
    "max_epochs": integer(1, 100_000),
    "steps_per_epoch": integer(1, 1_000_000),
    "val_split": fraction,
    "pretrained": boolean,
}
