"""Argument checks for random-window transforms."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from numbers import Integral
from typing import Any

from monai.config import KeysCollection, NdarrayOrTensor
from monai.utils import ensure_tuple

from ..errors import UserError

Size = int | Sequence[int]


def check_size(name: str, size: Size) -> tuple[int, int]:
    """(rows, columns) from one int or a pair; both at least 1."""
    pair = ensure_tuple(size)
    pair = pair * 2 if len(pair) == 1 else pair
    if len(pair) != 2 or not all(isinstance(n, Integral) for n in pair) or min(pair) < 1:
        raise UserError(f"{name} is {size!r}, but one or two whole numbers of at least 1 are needed")
    return pair


def check_sizes(keys: KeysCollection, spatial_size: Any) -> list[tuple[int, int]]:
    """(rows, columns) for each key; none may exceed the first, whose window contains all others.

    `spatial_size` is an int or a pair (rows, columns) for all keys, or a list with an int or a pair for each key. Two
    ints for two keys could mean either, and are refused.
    """
    names = ensure_tuple(keys)
    entries = list(ensure_tuple(spatial_size))
    is_one = len(entries) == 1 or (len(entries) == 2 and all(isinstance(n, Integral) for n in entries))
    if is_one and len(entries) == len(names) == 2 and entries[0] != entries[1]:
        raise UserError(f"spatial_size {entries} for 2 keys has two meanings; write [[rows, columns], [rows, columns]]")
    if is_one:
        return [check_size("spatial_size", spatial_size)] * len(names)
    if len(entries) != len(names):
        raise UserError(f"spatial_size has {len(entries)} entries for {len(names)} keys; give one, or one per key")
    sizes = [check_size(f"spatial_size of {key!r}", entry) for key, entry in zip(names, entries, strict=True)]
    for key, size in zip(names, sizes, strict=True):
        if size[0] > sizes[0][0] or size[1] > sizes[0][1]:
            raise UserError(f"spatial_size of {key!r} is {size}, larger than {sizes[0]} of the first key {names[0]!r}")
    return sizes


def smallest(sizes: Collection[tuple[int, int]]) -> tuple[int, int]:
    """Smallest number of rows, and of columns, of all sizes."""
    return min(rows for rows, _ in sizes), min(columns for _, columns in sizes)


def check_choice(name: str, value: Any, choices: Collection[str]) -> Any:
    """`value`, if it is one of `choices`."""
    if value not in choices:
        raise UserError(f"{name} is {value!r}, but must be one of {', '.join(choices)}")
    return value


def check_range(name: str, value: float, least: float = 0.0, most: float = float("inf")) -> float:
    """`value`, if it lies in [least, most] and is finite."""
    if not least <= value <= most or value == float("inf"):
        raise UserError(f"{name} is {value}, but must be a finite number in [{least:g}, {most:g}]")
    return value


def image_shape(name: Hashable, image: NdarrayOrTensor) -> tuple[int, int]:
    """(H, W) of an image (C, H, W) that has pixels."""
    shape = tuple(image.shape)
    if len(shape) != 3 or 0 in shape:
        raise UserError(f"{name} has shape {shape}, but (C, H, W) with at least one pixel is needed")
    return shape[1:]
