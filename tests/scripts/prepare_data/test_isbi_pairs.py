"""Sections and labels in folders belong together by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from custom.data import read_dataset, read_mask, write_image
from scripts.prepare_data.__main__ import main

SHAPE = (24, 33)


def section_folder(root: Path, names: list[str], labels: list[str]) -> list[str]:
    """Sections and labels; the number in a label's name is the column of its only cell. The command line."""
    generator = np.random.default_rng(0)
    for name in names:
        write_image(root / "train/image" / f"{name}.png", generator.integers(0, 255, SHAPE, dtype=np.uint8))
    for name in labels:
        label = np.zeros(SHAPE, np.uint8)
        label[:, int("".join(filter(str.isdigit, name)) or 0)] = 255
        write_image(root / "train/label" / f"{name}.png", label)
    return ["isbi2012", "--source", str(root), "--output", str(root / "out")]


def test_numbers_without_zeros(tmp_path: Path) -> None:
    names = [f"{number}" for number in range(12)]
    assert main(section_folder(tmp_path, names, [f"{number:02d}" for number in range(12)])) == 0
    dataset = read_dataset(tmp_path / "out")
    columns = [int(read_mask(item["label"])[0].argmax()) for item in dataset.training + dataset.validation]
    assert sorted(columns) == list(range(12))
    assert columns == [0, 1, 10, 11, 2, 3, 4, 5, 6, 7, 8, 9]


def test_different_names_need_an_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = section_folder(tmp_path, [f"a{n}" for n in range(5)], [f"b{n}" for n in range(5)])
    assert main(line) == 2
    assert "a0.png: has no label of its name" in (err := capsys.readouterr().err)
    assert "--pair_by order" in err
    assert main([*line, "--pair_by", "order"]) == 0
