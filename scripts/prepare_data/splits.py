"""Which files of a folder are trained on, validated on and tested on."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from custom.data.leaks import split_number
from custom.data.pairs import stem_of
from custom.errors import UserError

Order = Literal["auto", "blocks", "random"]
Places = Mapping[str, Sequence[int]]
"""Of validation and test, in the order of the files or pages."""

_DRAWS = 1000
"""Random orders to choose from: one in a hundred that suits is found."""


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


def assign(images: Sequence[Path], split: Split, classes: Sequence[Collection[int]] = ()) -> list[str]:
    """The list, training, validation or test, of each page.

    Args:
        images: the file of each page. Pages of one file stay together, unless it is the only one.
        split: what is held out.
        classes: those in the label of each page, for a random split whose lists hold enough of them; empty: unknown.

    Raises:
        UserError: fewer than two files or pages; a fraction, a fold or a number of folds that is impossible.
    """
    files = sorted(set(images), key=lambda file: (*_number(file), file.name))
    single = len(files) == 1
    numbers = {file: number for number, file in enumerate(files)}
    units = list(range(len(images))) if single else [numbers[image] for image in images]
    count = len(set(units))
    if count < 2:
        raise UserError(f"{files[0]}: is the only image; give two or more, some to train on and some to validate on")
    what = "pages" if single else "files"
    folds = [_by_fractions(count, split)] if split.folds is None else _folds(count, split, what)
    blocks = split.order == "blocks" or (split.order == "auto" and (single or _consecutive(files)))
    order = np.arange(count) if blocks else _random_order(_present(units, classes), folds, split.seed)
    chosen = folds[-1 if split.fold is None else split.fold]
    names = {order[place]: name for name, places in chosen.items() for place in places}
    return [names.get(unit, "training") for unit in units]


def _present(units: Sequence[int], classes: Sequence[Collection[int]]) -> NDArray[np.bool_]:
    """Whether a unit (first axis) holds a class (second axis)."""
    found = sorted(set().union(*classes))
    present = np.zeros((max(units) + 1, len(found)), bool)
    for unit, own in zip(units, classes, strict=False):
        present[unit] |= np.isin(found, list(own))
    return present


def _random_order(present: NDArray[np.bool_], folds: Sequence[Places], seed: int) -> NDArray[np.intp]:
    """The first of many orders drawn at random with the least flaws: a fold that does not train on all classes, which
    counts twice, or validates on one alone. All folds have the same order, as a cross-validation needs.
    """

    def flaws(order: NDArray[np.intp], fold: Places) -> int:
        training = np.delete(present[order], [place for places in fold.values() for place in places], axis=0)
        validated = present[order][list(fold["validation"])].any(axis=0)
        return 2 * int(not training.any(axis=0).all()) + int(validated.sum() == 1)

    generator = np.random.default_rng(seed)
    best, least = np.arange(len(present)), math.inf
    for _ in range(_DRAWS):
        order = generator.permutation(len(present))
        found = sum(flaws(order, fold) for fold in folds)
        if found < least:
            best, least = order, found
        if not found:
            break
    return best


def _number(file: Path) -> tuple[str, int]:
    name, number = split_number(stem_of(file))
    return name, -1 if number is None else number


def _consecutive(files: list[Path]) -> bool:
    names, numbers = zip(*map(_number, files), strict=True)
    return len(files) > 2 and len(set(names)) == 1 and list(numbers) == list(range(numbers[0], numbers[0] + len(files)))


def _by_fractions(count: int, split: Split) -> Places:
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


def _folds(count: int, split: Split, what: str) -> list[Places]:
    assert split.folds is not None
    if split.test_fraction:
        raise UserError("--test_fraction: cannot be combined with --folds; leave one out")
    if not 2 <= split.folds <= count:
        raise UserError(f"--folds: is {split.folds}; {count} {what} can be split into 2 to {count} folds")
    if split.fold is not None and not 0 <= split.fold < split.folds:
        raise UserError(f"--fold: is {split.fold}; with {split.folds} folds, give 0 to {split.folds - 1}")
    return [{"validation": part.tolist()} for part in np.array_split(np.arange(count), split.folds)]
