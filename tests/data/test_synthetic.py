"""The built-in set: made in seconds, the same from the same seed, and not to be solved by a threshold."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest
from skimage.filters import threshold_otsu

from custom.data import ensure_synthetic, make_synthetic, read_dataset, read_image, synthetic
from custom.data.synthetic_tissue import draw_tissue
from custom.errors import UserError

SMALL = {"training": 2, "validation": 1, "test": 1}
SIZE = (96, 130)


def _files(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def test_seed_decides_every_byte(tmp_path: Path) -> None:
    first, again, other = (make_synthetic(tmp_path / n, s, SIZE, SMALL) for n, s in (("a", 1), ("b", 1), ("c", 2)))
    assert _files(first) == _files(again)
    assert _files(first)["test/image/03.png"] != _files(other)["test/image/03.png"]


def test_is_a_data_set(tmp_path: Path) -> None:
    dataset = read_dataset(make_synthetic(tmp_path / "set", 0, SIZE, SMALL))
    assert [len(split) for split in (dataset.training, dataset.validation, dataset.test)] == [2, 1, 1]
    assert dataset.class_names == ("membrane", "cell")
    images = [read_image(item["image"]) for item in dataset.training + dataset.validation + dataset.test]
    assert all(image.shape == SIZE and image.dtype == np.uint8 for image in images)
    assert len({image.tobytes() for image in images}) == 4


def test_no_threshold_solves_it() -> None:
    intersections, unions = np.zeros(256), np.zeros(256)
    for seed in range(3):
        image, label = draw_tissue(np.random.default_rng(seed), (320, 416))
        cell = label == 255
        assert 0.2 < 1 - cell.mean() < 0.4
        assert image[cell].mean() - image[~cell].mean() > 30
        assert _iou(image > threshold_otsu(image), cell) < 0.7
        intersections += [((image >= level) & cell).sum() for level in range(256)]
        unions += [((image >= level) | cell).sum() for level in range(256)]
    assert (intersections / unions).max() < 0.75


def _iou(prediction: np.ndarray, truth: np.ndarray) -> float:
    return (prediction & truth).sum() / (prediction | truth).sum()


def test_existing_folder_is_kept(tmp_path: Path) -> None:
    folder = make_synthetic(tmp_path / "set", 3, SIZE, SMALL)
    before = _files(folder)
    assert ensure_synthetic(folder) == folder
    assert _files(folder) == before
    with pytest.raises(UserError, match="set: exists already"):
        make_synthetic(folder)


def test_folder_with_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="exists already; give a new or empty folder"):
        ensure_synthetic(tmp_path)


def test_two_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both_draw = Barrier(2)

    def draw_when_both_draw(generator: np.random.Generator, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        both_draw.wait(timeout=20)
        return draw_tissue(generator, size)

    monkeypatch.setattr(synthetic, "draw_tissue", draw_when_both_draw)
    monkeypatch.setattr(synthetic.make_synthetic, "__defaults__", (0, SIZE, {"training": 1}))
    with ThreadPoolExecutor(2) as pool:
        folders = list(pool.map(ensure_synthetic, [tmp_path / "set"] * 2))
    assert folders == [tmp_path / "set"] * 2
    assert [file.name for file in tmp_path.iterdir()] == ["set"]
    assert len(read_dataset(folders[0]).training) == 1
