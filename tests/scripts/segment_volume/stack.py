"""Command lines for a small volume, and what they give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import zarr

from scripts.segment_volume import __main__ as segment_volume
from scripts.segment_volume import target

ROOT = Path(__file__).parents[3]
SHAPE = (5, 150, 210)
BLOCK = 80


def command(source: Path, output: Path, model: Path, *more: str) -> list[str]:
    fixed = ["--model", str(model), "--block", str(BLOCK), "--bfloat16", "false"]
    return [str(source), str(output), *fixed, *more]


def equal(one: Path, other: Path) -> bool:
    """Whether two results have the same files, and the same values everywhere."""
    names = [sorted(str(file.relative_to(path)) for file in path.rglob("*") if file.is_file()) for path in (one, other)]
    arrays = [f"{name}/{level}" for name in (".", target.MASK) for level in range(3)]
    same = [np.array_equal(zarr.open_array(one / a)[:], zarr.open_array(other / a)[:]) for a in arrays]
    return names[0] == names[1] and all(same)


def refused(capsys, arguments: list[str], message: str) -> None:
    capsys.readouterr()
    assert segment_volume.main(arguments) == 2
    error = capsys.readouterr().err.splitlines()
    assert message in error[-1]
    assert error[-1].startswith("error: ")
