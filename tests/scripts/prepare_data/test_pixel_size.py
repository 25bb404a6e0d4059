"""The pixel size of a data set: given, stated by all files, or not known."""

from __future__ import annotations

from pathlib import Path

import pytest
import tifffile

from custom.data import write_image

from .common import SHAPE, binary_mask, prepare, random_pixels, refusal


def folder(path: Path, *sizes: float | None) -> Path:
    """Images of ImageJ with pixels of these sizes in micrometres, where there is one, and masks."""
    for number, size in enumerate(sizes):
        (path / "images").mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(
            path / "images" / f"{number}.tif",
            random_pixels(*SHAPE),
            imagej=True,
            resolution=size and (1 / size, 1 / size),
            metadata=size and {"unit": "um"},
        )
        write_image(path / "masks" / f"{number}.png", binary_mask(*SHAPE))
    return path


@pytest.mark.parametrize(
    ("sizes", "option", "expected", "warning"),
    [
        ((0.25, 0.25), (), 0.25, ""),
        ((0.25, 0.2501), (), 0.25, ""),
        ((0.5, 0.25), (), None, "no pixel size is recorded, as files differ (0.25, 0.5 micrometres)"),
        ((0.25, None), (), None, "no pixel size is recorded, as only some files state one (0.25 micrometres)"),
        ((0.25, 0.25), ("--pixel_size", 0.2), 0.2, "--pixel_size 0.2 is recorded; the files state 0.25 micrometres"),
        ((0.25, None), ("--pixel_size", 0.2501), 0.2501, ""),
    ],
    ids=["stated by all", "rounded", "different ones", "stated by one", "another is given", "the same is given"],
)
def test_it_is_written_into_the_data_set(tmp_path, capsys, sizes, option, expected, warning):
    source = folder(tmp_path / "own", *sizes)
    dataset = prepare("folder", "--source", source, "--output", tmp_path / "out", *option)
    assert dataset.pixel_size == (None if expected is None else pytest.approx(expected))
    printed = capsys.readouterr()
    assert warning in printed.err
    assert ("pixel" in printed.err) == bool(warning)


def test_images_that_state_nothing_have_none(tmp_path):
    for number in range(2):
        write_image(tmp_path / "own" / "images" / f"{number}.png", random_pixels(*SHAPE))
        write_image(tmp_path / "own" / "masks" / f"{number}.png", binary_mask(*SHAPE))
    assert prepare("folder", "--source", tmp_path / "own", "--output", tmp_path / "out").pixel_size is None


@pytest.mark.parametrize("size", [0, -0.1, "inf", "nan"])
def test_an_impossible_size_is_refused(tmp_path, capsys, size):
    source = folder(tmp_path / "own", 0.25, 0.25)
    line = refusal(capsys, "folder", "--source", source, "--output", tmp_path / "out", "--pixel_size", size)
    assert "--pixel_size" in line
    assert "give the side of a pixel in micrometres" in line
    assert not (tmp_path / "out").exists()
