"""Predictions and labels are paired by name, or by order on request."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

import scripts.score.__main__ as score

SHAPE = (15, 28)


def masks(folder: Path, names: list[str], suffix: str = ".png") -> Path:
    """One mask a name; the place of the name in the sorted list decides what the mask shows."""
    folder.mkdir()
    for number, name in enumerate(names):
        mask = np.zeros(SHAPE, np.uint8)
        mask[3:9, number : number + 5] = 255
        Image.fromarray(mask).save(folder / f"{name}{suffix}")
    return folder


def pixel_error(capsys: pytest.CaptureFixture[str], *arguments: Path | str) -> float:
    pred, label, *more = map(str, arguments)
    assert score.main(["isbi", "--pred", pred, "--label", label, *more]) == 0
    return float(capsys.readouterr().out.splitlines()[1].split()[1])


def refusal(capsys: pytest.CaptureFixture[str], challenge: str, *arguments: Path | str) -> str:
    pred, label, *more = map(str, arguments)
    assert score.main([challenge, "--pred", pred, "--label", label, *more]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_numbers_without_zeros_meet_their_own_labels(tmp_path, capsys):
    pred = masks(tmp_path / "p", [f"{number}" for number in range(12)])
    label = masks(tmp_path / "l", [f"{number:02d}_label" for number in range(12)])
    assert pixel_error(capsys, pred, label) == 0
    assert pixel_error(capsys, pred, label, "--pair_by", "order") > 0


def test_wholly_different_names(tmp_path, capsys):
    pred, label = masks(tmp_path / "p", ["a", "b"]), masks(tmp_path / "l", ["c", "d"])
    assert "a.png: has no label of its name" in (line := refusal(capsys, "isbi", pred, label))
    assert "--pair_by order" in line
    assert pixel_error(capsys, pred, label, "--pair_by", "order") == 0


def test_a_folder_and_a_stack_need_an_order(tmp_path, capsys):
    pred, label = masks(tmp_path / "p", ["a", "b"]), tmp_path / "l.tif"
    tifffile.imwrite(label, np.zeros((2, *SHAPE), np.uint8), photometric="minisblack")
    assert "give --pair_by order" in refusal(capsys, "isbi", pred, label)


def test_two_files_need_no_common_name(tmp_path, capsys):
    pred, label = masks(tmp_path / "p", ["a"]) / "a.png", masks(tmp_path / "l", ["b"]) / "b.png"
    assert pixel_error(capsys, pred, label) == 0


def test_jpeg_labels(tmp_path, capsys):
    pred, label = masks(tmp_path / "p", ["a"]), masks(tmp_path / "l", ["a"], ".jpg")
    assert "a.jpg: is a JPEG, which changes mask values" in refusal(capsys, "isbi", pred, label)
    assert "a.jpg: is a JPEG" in refusal(capsys, "ctc", label, pred)


@pytest.mark.parametrize("challenge", ["isbi", "ctc"])
def test_negative_labels(tmp_path, capsys, challenge):
    label = np.zeros(SHAPE, np.int16)
    label[2:5, 3:9], label[7, 7] = 1, -2
    tifffile.imwrite(tmp_path / "l.tif", label)
    tifffile.imwrite(tmp_path / "p.tif", (label > 0).astype(np.uint8))
    assert "l.tif: has the value -2" in refusal(capsys, challenge, tmp_path / "p.tif", tmp_path / "l.tif")
    assert "l.tif: has the value -2" in refusal(
        capsys, challenge, tmp_path / "p.tif", tmp_path / "l.tif", "--ignore", "-1"
    )
    arguments = [challenge, "--pred", str(tmp_path / "p.tif"), "--label", str(tmp_path / "l.tif"), "--ignore", "-2"]
    assert score.main(arguments) == 0


def test_negative_objects(tmp_path, capsys):
    ids = np.full(SHAPE, -1, np.int16)
    ids[2:5, 3:9] = 1
    tifffile.imwrite(tmp_path / "p.tif", ids)
    tifffile.imwrite(tmp_path / "l.tif", (ids > 0).astype(np.uint8))
    assert "p.tif: has the value -1; give 0" in refusal(capsys, "ctc", tmp_path / "p.tif", tmp_path / "l.tif")


@pytest.mark.parametrize("black_and_white", ["p", "l"])
def test_masks_that_do_not_number_their_objects(tmp_path, capsys, recwarn, black_and_white):
    ids = np.zeros(SHAPE, np.uint8)
    ids[2:5, 3:9], ids[2:5, 12:20] = 1, 2
    for name in "pl":
        tifffile.imwrite(tmp_path / f"{name}.tif", (ids > 0) if name == black_and_white else ids)
    arguments = ["ctc", "--pred", str(tmp_path / "p.tif"), "--label", str(tmp_path / "l.tif")]
    with pytest.warns(UserWarning, match=rf"{black_and_white}\.tif: marks separate regions by one value, which"):
        assert score.main(arguments) == 0
    recwarn.clear()
    tifffile.imwrite(tmp_path / f"{black_and_white}.tif", ids)
    assert score.main(arguments) == 0
    assert not recwarn.list


def test_masks_of_imagej_with_an_inverting_table(tmp_path, capsys):
    mask = np.zeros(SHAPE, np.uint8)
    mask[3:9, 4:9] = 255
    tifffile.imwrite(tmp_path / "p.tif", mask, photometric="miniswhite")
    tifffile.imwrite(tmp_path / "l.tif", mask, photometric="minisblack")
    assert pixel_error(capsys, tmp_path / "p.tif", tmp_path / "l.tif") == 0
