"""Masks whose values do not mean what an option says."""

from __future__ import annotations

from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from PIL import Image
from skimage.measure import label

from custom.data import write_image
from scripts.prepare_data.values import is_smoothed

from .common import prepare, random_pixels, refusal

SHAPE = (48, 66)


def disks() -> np.ndarray:
    """Two separate disks of 255."""
    rows, columns = np.ogrid[: SHAPE[0], : SHAPE[1]]
    inside = [(rows - 24) ** 2 + (columns - centre) ** 2 < 12**2 for centre in (17, 49)]
    return np.where(inside[0] | inside[1], 255, 0).astype(np.uint8)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    for name in ("ape", "bee", "cat"):
        write_image(tmp_path / "own/images" / f"{name}.png", random_pixels(*SHAPE))
        write_image(tmp_path / "own/masks" / f"{name}.png", disks())
    return tmp_path / "own"


def saved_as_jpeg(mask: np.ndarray, quality: int = 90) -> np.ndarray:
    return iio.imread(iio.imwrite("<bytes>", mask, extension=".jpg", quality=quality))


def resized(mask: np.ndarray) -> np.ndarray:
    large = Image.fromarray(mask).resize((3 * mask.shape[1], 2 * mask.shape[0]), Image.Resampling.BICUBIC)
    return np.asarray(large.resize(mask.shape[::-1], Image.Resampling.BILINEAR))


@pytest.mark.parametrize("smoothed", [saved_as_jpeg, resized])
@pytest.mark.parametrize("kind", [(), ("--instances",), ("--classes",)])
def test_smoothed_outlines_are_refused(own: Path, tmp_path: Path, capsys, smoothed, kind: tuple[str, ...]) -> None:
    write_image(own / "masks/bee.png", smoothed(disks()))
    line = refusal(capsys, "folder", "--source", own, "--output", tmp_path / "out", *kind)
    assert "bee.png: has" in line
    assert "along outlines only" in line


def test_numbered_objects_and_spots_are_not_smoothed() -> None:
    assert not is_smoothed(label(np.tile(disks(), (2, 3))))
    thin = np.where(label(disks()) == 2, 6, 0)
    thin[2:4, 10:20], thin[44:46, 30:34], thin[10:13, 5:7] = 3, 4, 5
    assert not is_smoothed(thin)
    spots = np.zeros(SHAPE, np.int32)
    spots[::8, ::8] = np.arange(1, 55).reshape(6, 9)
    assert not is_smoothed(spots)


@pytest.mark.parametrize("width", [1, 2])
@pytest.mark.parametrize("density", [0.02, 0.1, 0.2])
def test_crowded_dots_around_a_large_object_are_not_smoothed(width: int, density: float) -> None:
    draw = np.random.default_rng(0)
    mask = np.zeros((200, 260), np.int32)
    for number, (row, column) in enumerate(draw.integers((1, 1), (199, 258), (int(density * mask.size), 2)), start=1):
        mask[row, column : column + width] = number
    mask[60:120, 80:150] = mask.max() + 1
    assert not is_smoothed(mask)


@pytest.mark.parametrize("angle", [10, 30])
@pytest.mark.parametrize("quality", [50, 75, 90, 95])
def test_straight_outlines_of_jpeg_are_smoothed(angle: int, quality: int) -> None:
    drawn = Image.new("L", (260, 200))
    for left, top, width, height in ((21, 17, 43, 60), (110, 30, 90, 35), (75, 101, 30, 70), (150, 120, 61, 53)):
        drawn.paste(255, (left, top, left + width, top + height))
    assert is_smoothed(saved_as_jpeg(np.asarray(drawn.rotate(angle)), quality))


def test_classes_taken_for_objects_are_warned_of(own: Path, tmp_path: Path, capsys) -> None:
    mask = disks()
    mask[:3, :4] = mask[:3, -4:] = 100
    for name in ("ape", "bee", "cat"):
        write_image(own / "masks" / f"{name}.png", mask)
    prepare("folder", "--source", own, "--output", tmp_path / "out", "--instances")
    assert "6 of 6 mask values mark several separate regions" in capsys.readouterr().err


def test_a_different_foreground_value_in_each_mask(own: Path, tmp_path: Path, capsys) -> None:
    write_image(own / "masks/cat.png", disks() // 255)
    line = refusal(capsys, "folder", "--source", own, "--output", tmp_path / "out")
    assert "each mask holds 0 and one other value, but not all the same (0, 1, 255)" in line


def test_blank_images_with_objects_are_named(own: Path, tmp_path: Path, capsys) -> None:
    write_image(own / "images/cat.png", np.full(SHAPE, 7, np.uint8))
    prepare("folder", "--source", own, "--output", tmp_path / "out")
    assert "labels, but no image: 1 have a single gray value: cat (" in capsys.readouterr().out


def test_a_split_by_folders_is_warned_of(own: Path, tmp_path: Path, capsys) -> None:
    for part in ("images", "masks"):
        (tmp_path / "whole/test").mkdir(parents=True, exist_ok=True)
        (own / part).rename(tmp_path / "whole/test" / part)
    prepare("folder", "--source", tmp_path / "whole", "--output", tmp_path / "out")
    assert "images of test are divided anew" in capsys.readouterr().err
