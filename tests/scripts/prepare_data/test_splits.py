"""Random splits whose lists hold enough classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from custom.data import write_image
from custom.data.datalist import Datalist
from scripts.prepare_data.splits import Split, assign

from .common import prepare, random_pixels

NAMES = ["ape", "bee", "cat", "cow", "dog", "elk", "fox", "gnu", "hen", "jay"]
FILES = [Path(name) for name in NAMES]
BOTH, BACKGROUND = {0, 1}, {0}


def held_out(lists: list[str]) -> set[int]:
    return {place for place, name in enumerate(lists) if name == "validation"}


@pytest.mark.parametrize("seed", range(20))
def test_both_lists_hold_the_classes_if_they_can(seed: int) -> None:
    positive = {seed % 10, (3 * seed + 1) % 10}
    classes = [BOTH if place in positive else BACKGROUND for place in range(10)]
    lists = assign(FILES, Split(seed=seed), classes)
    assert len(held_out(lists) & positive) == 1
    assert assign(FILES, Split(seed=seed), classes) == lists


@pytest.mark.parametrize("seed", range(20))
def test_a_split_that_suits_is_that_of_unknown_classes(seed: int) -> None:
    assert assign(FILES, Split(seed=seed), [BOTH] * 10) == assign(FILES, Split(seed=seed))


@pytest.mark.parametrize("seed", range(20))
def test_a_class_of_one_file_is_trained(seed: int) -> None:
    lists = assign(FILES, Split(seed=seed, test_fraction=0.2), [BOTH, *[BACKGROUND] * 9])
    assert lists[0] == "training"


def test_folds_share_their_order() -> None:
    classes = [BOTH if place < 6 else BACKGROUND for place in range(10)]
    folds = [held_out(assign(FILES, Split(folds=5, fold=fold), classes)) for fold in range(5)]
    assert set().union(*folds) == set(range(10))
    assert all(len(fold) == 2 and fold & set(range(6)) for fold in folds)


def test_pages_of_a_file_stay_together() -> None:
    images = [file for file in FILES for _ in range(3)]
    classes = [BOTH if place == 4 else {0, 2} if place in (10, 22) else BACKGROUND for place in range(30)]
    lists = assign(images, Split(seed=1), classes)
    assert all(len(set(lists[3 * file : 3 * file + 3])) == 1 for file in range(10))
    assert lists[4] == "training"
    assert {lists[10], lists[22]} == {"training", "validation"}


def prepared(tmp_path: Path, positive: int, *more: str) -> Datalist:
    """Of ten files, those whose masks are not blank are the first."""
    for place, name in enumerate(NAMES):
        mask = np.zeros((24, 33), np.uint8)
        mask[:10, :10] = 255 * (place < positive)
        write_image(tmp_path / "own/images" / f"{name}.png", random_pixels())
        write_image(tmp_path / "own/masks" / f"{name}.png", mask)
    return prepare("folder", "--source", tmp_path / "own", "--output", tmp_path / "out", *more)


@pytest.mark.parametrize("kind", [(), ("--instances",)])
@pytest.mark.parametrize("seed", range(4))
def test_no_validation_without_foreground(tmp_path: Path, capsys, seed: int, kind: tuple[str, ...]) -> None:
    data = prepared(tmp_path, 2, "--seed", str(seed), *kind)
    assert data.seen == {"training": {0, 1}, "validation": {0, 1}, "test": set()}
    assert not capsys.readouterr().err


@pytest.mark.parametrize(("positive", "more"), [(1, ()), (8, ("--split", "blocks"))])
def test_a_validation_without_foreground_is_warned_of(tmp_path: Path, capsys, positive: int, more) -> None:
    assert prepared(tmp_path, positive, *more).seen["validation"] == {0}
    assert "the labels of `validation` hold one class alone, with which no training begins" in capsys.readouterr().err
