"""The built-in data set: reproducible from its seed, and not solvable by a threshold."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest
from skimage.filters import threshold_otsu

from custom.data import LoadMicroscopyd, ensure_synthetic, make_synthetic, read_dataset, read_image, synthetic
from custom.data.synthetic_tissue import draw_tissue
from custom.errors import UserError

SMALL = {"training": 2, "validation": 1, "test": 1}
SIZE = (96, 130)
IMAGE_BLOCKS = """
    4a64554c4542232979865868827e98a5 65635c425073375c7d5c7e8788591d7e 302130444a495e4f556d91917d4a6c72
    273a67767080573e4c205a9d78a77e69 3b528d8e87512b1858292366809c6b64 704572787c52120c1e2d508396776768
    2d2c497f434d2a291b3a9b83ad844e6b 2b0f2753644d371e4d4d84965a363f33 24115f424a2d404282676e8b6f694312
    28204e5f594c9b7e6c8daa747762771b 1a1d2675583f7bc885bf848c7e121c2f 1b2651796e376dba9c745971a7a05d31
"""
LABEL_BLOCKS = """
    5180eefda638dade 556e988fd4d69493 74fc89feffcfceff ee9172e6ffa2f8ff ffb89384a3a1ffff fff567b39e8ffcff
"""


def _files(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def test_seed_decides_every_byte(tmp_path: Path) -> None:
    first, again, other = (make_synthetic(tmp_path / n, s, SIZE, SMALL) for n, s in (("a", 1), ("b", 1), ("c", 2)))
    assert _files(first) == _files(again)
    assert _files(first)["test/image/03.png"] != _files(other)["test/image/03.png"]


def test_the_picture_of_a_seed() -> None:
    """Mean of each block of 8 x 8 pixels, and of 16 x 16 of the label, as drawn when the data set was published."""
    image, label = draw_tissue(np.random.default_rng(7), (96, 128))
    for found, size, expected in ((image, 8, IMAGE_BLOCKS), (label, 16, LABEL_BLOCKS)):
        means = found.reshape(96 // size, size, 128 // size, size).mean((1, 3))
        reference = np.frombuffer(bytes.fromhex(expected), np.uint8).reshape(means.shape)
        np.testing.assert_allclose(means, reference, atol=2)


def test_is_a_data_set(tmp_path: Path) -> None:
    dataset = read_dataset(make_synthetic(tmp_path / "set", 0, SIZE, SMALL))
    assert [len(split) for split in (dataset.training, dataset.validation, dataset.test)] == [2, 1, 1]
    assert dataset.class_names == ("membrane", "cell")
    assert dataset.about["licence"] == "Apache-2.0"
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


def test_cells_need_both_channels(tmp_path: Path) -> None:
    """Three classes in two channels; debris is as bright as a nucleus, a nucleus as dark as the ground."""
    make_synthetic(tmp_path / "set", seed=3, size=SIZE, counts={"training": 2}, kind="cells")
    data = read_dataset(tmp_path / "set")
    assert data.class_names == ("background", "cytoplasm", "nucleus")
    assert data.channel_names == ("DNA", "tubulin")
    item = LoadMicroscopyd()(data.training[0])
    (dna, tubulin), label = item["image"].numpy(), item["label"].numpy()[0]
    assert label.shape == SIZE
    assert set(np.unique(label)) == {0, 1, 2}
    mean = {name: [plane[label == k].mean() for k in range(3)] for name, plane in (("dna", dna), ("tubulin", tubulin))}
    assert min(mean["dna"][2] - mean["dna"][0], mean["tubulin"][1] - mean["tubulin"][0]) > 0.3
    assert abs(mean["tubulin"][2] - mean["tubulin"][0]) < 0.15
    assert (dna[label == 0] > np.percentile(dna[label == 2], 20)).sum() > 20
    with pytest.raises(UserError, match="kind 'brain': give one of tissue, cells"):
        make_synthetic(tmp_path / "other", kind="brain")  # type: ignore[arg-type]
