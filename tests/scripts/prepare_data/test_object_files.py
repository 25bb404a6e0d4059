"""One mask file for each object of an image, as in the Data Science Bowl 2018."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from custom.data import read_image, read_mask

from .common import SHAPE, prepare, random_pixels, refusal

NUMBER_OF_OBJECTS = {"first": 3, "second": 1}


def square(top: int, left: int, side: int) -> np.ndarray:
    mask = np.zeros(SHAPE, np.uint8)
    mask[top : top + side, left : left + side] = 255
    return mask


def write_png(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Two images with their objects; in the first, the second object lies on a corner of the first."""
    folder = tmp_path / "own"
    for name, count in NUMBER_OF_OBJECTS.items():
        write_png(folder / name / "images" / f"{name}.png", random_pixels(*SHAPE))
        for number, mask in enumerate([square(2, 2, 9), square(9, 9, 4), square(4, 20, 5)][:count]):
            write_png(folder / name / "masks" / f"a{number}b.png", mask)
    return folder


def test_objects_are_numbered_and_the_smaller_is_on_top(own: Path, tmp_path: Path) -> None:
    dataset = prepare("folder", "--source", own, "--output", tmp_path / "out", "--split", "random")
    assert dataset.label_format.kind == "instances"
    labels = {Path(item["image"]).stem: read_mask(item["label"]) for item in dataset.training + dataset.validation}
    assert set(labels) == {"first_first", "second_second"}
    first = labels["first_first"]
    sizes = sorted((first == number).sum() for number in range(1, 4))
    assert sizes == [16, 25, 81 - 4]
    assert (first > 0).sum() == 81 + 16 + 25 - 4
    assert len(set(first[9:11, 9:11].ravel())) == 1
    assert (labels["second_second"] > 0).sum() == 81
    for item in dataset.training + dataset.validation:
        name = Path(item["image"]).stem.split("_")[0]
        assert (read_image(item["image"]) == read_image(own / name / "images" / f"{name}.png")).all()


def test_as_classes(own: Path, tmp_path: Path) -> None:
    dataset = prepare("folder", "--source", own, "--output", tmp_path / "out", "--split", "random", "--classes")
    assert dataset.label_format.kind == "classes"
    assert {int(read_mask(item["label"]).max()) for item in dataset.training + dataset.validation} == {1}


@pytest.mark.parametrize(
    ("mask", "part"),
    [
        (np.zeros(SHAPE, np.uint8), "a0b.png: has 0 values above 0"),
        (np.where(square(2, 2, 9) > 0, np.arange(SHAPE[1], dtype=np.uint8), 0), "a0b.png: has 9 values above 0"),
        (np.full((SHAPE[0], SHAPE[1] + 1), 255, np.uint8), "a0b.png"),
    ],
)
def test_refusals(own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], mask: np.ndarray, part: str) -> None:
    write_png(own / "first" / "masks" / "a0b.png", mask.astype(np.uint8))
    assert part in refusal(capsys, "folder", "--source", own, "--output", tmp_path / "out")


def test_one_image_and_one_label_of_another_name_is_no_object(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = refusal(capsys, "folder", "--source", own / "second", "--output", tmp_path / "out")
    assert "second.png: has no label of its name" in line
