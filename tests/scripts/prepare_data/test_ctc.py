"""Cell Tracking Challenge; and all challenges with their real data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from custom.data import LoadMicroscopyd, read_image, read_mask
from scripts.prepare_data import ctc

from .common import SHAPE, names, prepare, refusal, write_tiff


def _write_sequence(
    root: Path, name: str, frames: int, gold: dict[int, list[int]], silver: dict[int, list[int]]
) -> None:
    """Images whose gray value is the frame number, and masks where cell k is a block of 6 x 6 pixels at column 8 k."""
    for frame in range(frames):
        write_tiff(root / name / f"t{frame:03d}.tif", np.full(SHAPE, frame, np.uint8))
    for kind, masks in (("GT", gold), ("ST", silver)):
        for frame, cells in masks.items():
            mask = np.zeros(SHAPE, np.uint16)
            for cell in cells:
                mask[8:14, 8 * cell : 8 * cell + 6] = cell + 1
            write_tiff(root / f"{name}_{kind}" / "SEG" / f"man_seg{frame:03d}.tif", mask)


@pytest.fixture
def hela(tmp_path: Path) -> Path:
    """One sequence of 40 frames: gold in 2, 10, 30, 31; frame 30 lacks a cell in gold, frame 20 in silver."""
    silver = {frame: [0, 1, 2] for frame in range(40)}
    silver[20] = [0, 1]
    gold = {2: [0, 1, 2], 10: [0, 2], 30: [0, 1], 31: [0, 1, 2]}
    _write_sequence(tmp_path / "DIC-C2DH-HeLa", "01", 40, gold, silver)
    return tmp_path


def _frames(items: list[dict]) -> list[int]:
    return [int(name.removeprefix("t")) for name in names(items)]


def test_ctc_one_sequence_is_split_in_time_with_a_gap(hela: Path) -> None:
    dataset = prepare("dic-hela", "--source", hela, "--output", hela / "out", "--folds", 2)
    assert _frames(dataset.validation) == [30, 31]
    assert _frames(dataset.training) == list(range(30 - ctc.GAP))
    assert dataset.label_format.kind == "instances"
    dataset = prepare("dic-hela", "--source", hela, "--output", hela / "out0", "--folds", 2, "--fold", 0)
    assert _frames(dataset.validation) == [2, 10]
    assert _frames(dataset.training) == list(range(11 + ctc.GAP, 40))
    for item in dataset.training + dataset.validation:
        assert (read_image(item["image"]) == int(Path(item["image"]).stem[1:])).all()


def test_ctc_default_folds(hela: Path) -> None:
    dataset = prepare("dic-hela", "--source", hela / "DIC-C2DH-HeLa", "--output", hela / "out")
    assert _frames(dataset.validation) == [31]


def test_ctc_one_fold_holds_nothing_out(hela: Path) -> None:
    dataset = prepare("dic-hela", "--source", hela, "--output", hela / "out", "--folds", 1)
    assert _frames(dataset.training) == list(range(40))
    assert not dataset.validation


@pytest.mark.parametrize(
    ("annotations", "frames"), [("gold", [2, 10]), ("silver", list(range(25))), ("both", list(range(25)))]
)
def test_ctc_annotations(hela: Path, annotations: str, frames: list[int]) -> None:
    run = ("--source", hela, "--output", hela / "out", "--folds", 2, "--annotations", annotations)
    dataset = prepare("dic-hela", *run)
    assert _frames(dataset.training) == frames
    masks = {frame: read_mask(item["label"]) for frame, item in zip(frames, dataset.training, strict=True)}
    assert set(np.unique(masks[2])) == {0, 1, 2, 3}
    # Gold frame 10 lacks the middle cell: to be ignored in gold, there in silver.
    assert masks[10][11, 11] == (ctc.IGNORE if annotations == "gold" else 2)


def test_ctc_cells_without_annotation_are_ignored(hela: Path) -> None:
    dataset = prepare("dic-hela", "--source", hela, "--output", hela / "out", "--folds", 2)
    held_out = LoadMicroscopyd()(dataset.validation[0])
    instance = held_out["instance"][0].numpy()
    missed = np.zeros(SHAPE, bool)
    missed[8:14, 16:22] = True
    assert (instance[missed] == -1).all()
    assert (instance[8:14, 0:6] == 1).all()
    assert (instance[8:14, 8:14] == 2).all()
    assert (instance[:2] == 0).all()
    assert ((instance == -1) == (held_out["label"][0].numpy() == 255)).all()
    # Silver frame 20 lacks what both its neighbours have.
    by_frame = dict(zip(_frames(dataset.training), dataset.training, strict=True))
    assert (read_mask(by_frame[20]["label"])[missed] == ctc.IGNORE).all()
    assert (read_mask(by_frame[18]["label"]) != ctc.IGNORE).all()


def test_ctc_two_sequences_are_the_folds(tmp_path: Path) -> None:
    for name in ("01", "02"):
        silver = {frame: [0, 1] for frame in range(6)}
        _write_sequence(tmp_path / "PhC-C2DH-U373", name, 6, {1: [0, 1], 4: [0, 1]}, silver)
    for fold, (trained, held_out) in enumerate([("02", "01"), ("01", "02")]):
        run = ("--source", tmp_path, "--output", tmp_path / f"out{fold}", "--folds", 2, "--fold", fold)
        dataset = prepare("phc-u373", *run)
        assert {Path(item["image"]).parts[-3] for item in dataset.training} == {trained}
        assert {Path(item["image"]).parts[-3] for item in dataset.validation} == {held_out}
        assert _frames(dataset.training) == list(range(6))
        assert _frames(dataset.validation) == [1, 4]
    dataset = prepare("phc-u373", "--source", tmp_path, "--output", tmp_path / "out")
    assert {Path(item["image"]).parts[-3] for item in dataset.validation} == {"02"}


def test_other_data_of_the_challenge(hela: Path, capsys: pytest.CaptureFixture[str]) -> None:
    known = prepare("dic-hela", "--source", hela, "--output", hela / "known", "--folds", 2)
    other = (hela / "DIC-C2DH-HeLa").rename(hela / "BF-C2DH-Cells")
    run = ("ctc", "--source", other, "--output", hela / "other", "--folds", 2)
    dataset = prepare(*run, "--pixel_size", 0.5)
    assert dataset.about["name"] == "BF-C2DH-Cells"
    assert dataset.pixel_size == 0.5
    assert names(dataset.training) == names(known.training)
    assert names(dataset.validation) == names(known.validation)
    write_tiff(other / "01" / "t000.tif", np.zeros((5, *SHAPE), np.uint8))
    assert "has images of 5 slices" in refusal(capsys, *run[:-3], hela / "third")


def test_ctc_refusals(hela: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = ("dic-hela", "--source", hela, "--output", hela / "out")
    assert "--folds: is 5; give 2 to 4, of this source, or 1 to hold nothing out" in refusal(capsys, *run, "--folds", 5)
    assert "--fold: is 7; with 2 folds, give 0 to 1" in refusal(capsys, *run, "--folds", 2, "--fold", 7)
    assert "no sequence with masks" in refusal(capsys, *run[:2], hela / "DIC-C2DH-HeLa/01", *run[3:])
    root = hela / "DIC-C2DH-HeLa"
    broken = root / "01_ST/SEG/man_seg003.tif"
    content = broken.read_bytes()
    broken.write_bytes(content[:150])
    assert "man_seg003.tif: truncated" in refusal(capsys, *run)
    broken.write_bytes(content)
    (root / "01/t003.tif").unlink()
    assert "has masks but no image of frame 3" in refusal(capsys, *run)


def test_real_data(real_data: Path, tmp_path: Path) -> None:
    em = prepare("isbi2012", "--source", real_data / "isbi2012", "--output", tmp_path / "em")
    assert [int(name) for name in names(em.training)] == list(range(24))
    assert [int(name) for name in names(em.validation)] == list(range(24, 30))
    assert len(em.test) == 30
    hela = prepare("dic-hela", "--source", real_data / "DIC-C2DH-HeLa", "--output", tmp_path / "hela")
    assert _frames(hela.validation) == [39, 54, 67]
    assert _frames(hela.training) == list(range(34))
    ignored = [float((LoadMicroscopyd()(item)["label"] == 255).float().mean()) for item in hela.validation]
    assert ignored[1] == 0
    assert 0 < ignored[0] < 0.05 < 0.5 < ignored[2]
    u373 = prepare("phc-u373", "--source", real_data / "PhC-C2DH-U373", "--output", tmp_path / "u373")
    assert _frames(u373.validation) == [92, 96, 100, 102, 112]
