"""Which files of a folder are trained on, validated on and tested on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from custom.data.leaks import split_number
from custom.data.pairs import stem_of
from custom.errors import UserError

Order = Literal["auto", "blocks", "random"]


@dataclass(frozen=True)
class Split:
    """What is held out.

    Args:
        fraction: share for validation.
        test_fraction: share for testing.
        seed: of a random split.
        folds: number of folds, instead of the fractions.
        fold: the fold for validation, from 0; the last by default.
        order: "random"; "blocks" of consecutive files or pages; "auto": blocks of a single stack and of files that are
            numbered without gaps, because neighbours in a stack or film resemble each other, else random.
    """

    fraction: float = 0.2
    test_fraction: float = 0.0
    seed: int = 0
    folds: int | None = None
    fold: int | None = None
    order: Order = "auto"


def assign(images: Sequence[Path], split: Split) -> list[str]:
    """The list, training, validation or test, of each page.

    Args:
        images: the file of each page. Pages of one file stay together, unless it is the only one.
        split: what is held out.

    Raises:
        UserError: fewer than two files or pages; a fraction, a fold or a number of folds that is impossible.
    """
    files = sorted(set(images), key=lambda file: (*_number(file), file.name))
    single = len(files) == 1
    units = list(range(len(images))) if single else files
    if len(units) < 2:
        raise UserError(f"{files[0]}: is the only image; give two or more, some to train on and some to validate on")
    blocks = split.order == "blocks" or (split.order == "auto" and (single or _consecutive(files)))
    order = np.arange(len(units)) if blocks else np.random.default_rng(split.seed).permutation(len(units))
    what = "pages" if single else "files"
    chosen = _by_fractions(len(units), split) if split.folds is None else _fold(len(units), split, what)
    held_out = {units[order[place]]: name for name, places in chosen.items() for place in places}
    return [held_out.get(page if single else image, "training") for page, image in enumerate(images)]


def _number(file: Path) -> tuple[str, int]:
    name, number = split_number(stem_of(file))
    return name, -1 if number is None else number


def _consecutive(files: list[Path]) -> bool:
    names, numbers = zip(*map(_number, files), strict=True)
    return len(files) > 2 and len(set(names)) == 1 and list(numbers) == list(range(numbers[0], numbers[0] + len(files)))


def _by_fractions(count: int, split: Split) -> dict[str, Sequence[int]]:
    """Places, in the order of the split, of validation and test: the last ones, test at the end."""
    if split.fold is not None:
        raise UserError("--fold: needs --folds, the number of folds")
    for name, fraction in (("validation", split.fraction), ("test", split.test_fraction)):
        if not (0 < fraction < 1 or (fraction == 0 and name == "test")):
            raise UserError(f"--{name}_fraction: is {fraction}; give a share between 0 and 1")
    test = 0 if split.test_fraction == 0 else max(round(split.test_fraction * count), 1)
    validation = min(max(round(split.fraction * count), 1), count - 1)
    if test + validation >= count:
        raise UserError(
            f"--validation_fraction, --test_fraction: take {validation} and {test} of {count}; leave some for training"
        )
    return {"validation": range(count - test - validation, count - test), "test": range(count - test, count)}


def _fold(count: int, split: Split, what: str) -> dict[str, Sequence[int]]:
    assert split.folds is not None
    if split.test_fraction:
        raise UserError("--test_fraction: cannot be combined with --folds; leave one out")
    fold = split.folds - 1 if split.fold is None else split.fold
    if not 2 <= split.folds <= count:
        raise UserError(f"--folds: is {split.folds}; {count} {what} can be split into 2 to {count} folds")
    if not 0 <= fold < split.folds:
        raise UserError(f"--fold: is {fold}; with {split.folds} folds, give 0 to {split.folds - 1}")
    return {"validation": np.array_split(np.arange(count), split.folds)[fold].tolist()}
