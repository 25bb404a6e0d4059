"""What the tests of all sources share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from custom.data import read_dataset
from custom.data.datalist import Datalist
from scripts.prepare_data.__main__ import main

SHAPE = (24, 33)
GENERATOR = np.random.default_rng(0)


def prepare(*arguments: str | Path) -> Datalist:
    assert main([str(argument) for argument in arguments]) == 0
    return read_dataset(arguments[arguments.index("--output") + 1])


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """The one line on standard error. Nothing is left at the output, nor beside it."""
    output = Path(arguments[arguments.index("--output") + 1])
    before = set(output.parent.iterdir())
    capsys.readouterr()
    assert main([str(argument) for argument in arguments]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert set(output.parent.iterdir()) == before
    return lines[0]


def names(items: list[dict], key: str = "image") -> list[str]:
    return [Path(item[key]).stem for item in items]


def random_pixels(*shape: int) -> np.ndarray:
    return GENERATOR.integers(0, 256, shape or SHAPE, dtype=np.uint8)


def binary_mask(*shape: int) -> np.ndarray:
    return GENERATOR.integers(0, 2, shape or SHAPE, dtype=np.uint8) * np.uint8(255)


def write_tiff(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, array, compression="lzw")
