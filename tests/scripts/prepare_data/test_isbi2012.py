"""ISBI 2012: from the archive, its folder or single sections; and malicious archives."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from custom.data import read_image, read_mask, write_image
from custom.data.datalist import Datalist
from scripts.prepare_data import ctc, isbi2012
from scripts.prepare_data.__main__ import main
from scripts.prepare_data.source import Archive

from .common import SHAPE, binary_mask, names, prepare, random_pixels, refusal


@pytest.fixture
def stacks(tmp_path: Path) -> dict[str, np.ndarray]:
    """A small challenge of 10 + 4 sections, as multi-page TIFF in `archive/ISBI-2012-challenge`."""
    stacks = {
        "train-volume": random_pixels(10, *SHAPE),
        "train-labels": binary_mask(10, *SHAPE),
        "test-volume": random_pixels(4, *SHAPE),
    }
    folder = tmp_path / "archive" / "ISBI-2012-challenge"
    folder.mkdir(parents=True)
    for name, stack in stacks.items():
        tifffile.imwrite(folder / f"{name}.tif", stack, photometric="minisblack", compression="lzw")
    return stacks


def _zip(folder: Path, path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder))
    return path


def _check_isbi(dataset: Datalist, stacks: dict[str, np.ndarray], held_out: list[int]) -> None:
    assert [int(name) for name in names(dataset.validation)] == held_out
    assert [int(name) for name in names(dataset.training)] == sorted(set(range(10)) - set(held_out))
    assert names(dataset.test) == ["00", "01", "02", "03"]
    for item in dataset.training + dataset.validation:
        number = int(Path(item["image"]).stem)
        np.testing.assert_array_equal(read_image(item["image"]), stacks["train-volume"][number])
        np.testing.assert_array_equal(read_mask(item["label"]), stacks["train-labels"][number])
    for number, item in enumerate(dataset.test):
        np.testing.assert_array_equal(read_image(item["image"]), stacks["test-volume"][number])
        assert "label" not in item


def test_isbi_from_folder_nested_folder_zip_and_png(tmp_path: Path, stacks: dict[str, np.ndarray]) -> None:
    archive = tmp_path / "archive"
    for part, kind, name in (("train", "image", "volume"), ("train", "label", "labels"), ("test", "image", "volume")):
        for number, section in enumerate(stacks[f"{part}-{name}"]):
            write_image(tmp_path / "png" / part / kind / f"{number:02d}.png", section)
    sources = [archive, archive / "ISBI-2012-challenge", _zip(archive, tmp_path / "a.zip"), tmp_path / "png"]
    for number, source in enumerate(sources):
        dataset = prepare("isbi2012", "--source", source, "--output", tmp_path / f"out{number}")
        _check_isbi(dataset, stacks, [8, 9])
        assert dataset.class_names == ("membrane", "cell")
        assert "non-commercial" in dataset.about["licence"]


def test_isbi_folds_are_contiguous_and_cover_all(tmp_path: Path, stacks: dict[str, np.ndarray]) -> None:
    seen: list[int] = []
    for fold in range(3):
        output = tmp_path / f"fold{fold}"
        dataset = prepare(
            "isbi2012", "--source", tmp_path / "archive", "--output", output, "--folds", 3, "--fold", fold
        )
        held_out = [int(name) for name in names(dataset.validation)]
        assert held_out == list(range(held_out[0], held_out[-1] + 1))
        _check_isbi(dataset, stacks, held_out)
        seen += held_out
    assert seen == list(range(10))


def test_isbi_test_labels_are_used_if_there(tmp_path: Path, stacks: dict[str, np.ndarray]) -> None:
    labels = binary_mask(4, *SHAPE)
    tifffile.imwrite(tmp_path / "archive/ISBI-2012-challenge/test-labels.tif", labels, photometric="minisblack")
    dataset = prepare("isbi2012", "--source", tmp_path / "archive", "--output", tmp_path / "out")
    for label, item in zip(labels, dataset.test, strict=True):
        np.testing.assert_array_equal(read_mask(item["label"]), label)


def test_isbi_download_is_checked(
    tmp_path: Path,
    stacks: dict[str, np.ndarray],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = _zip(tmp_path / "archive", tmp_path / "ISBI-2012-challenge.zip")
    monkeypatch.setattr(isbi2012, "ARCHIVE", Archive(path.as_uri(), "ISBI-2012-challenge"))
    (tmp_path / "data").mkdir()
    line = _refusal_of_download(capsys, "isbi2012", tmp_path / "data/out")
    assert "train-volume.tif: has git blob SHA-1" in line
    blobs = {}
    for name in isbi2012.BLOBS:
        content = (tmp_path / "archive/ISBI-2012-challenge" / name).read_bytes()
        blobs[name] = hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()
    monkeypatch.setattr(isbi2012, "BLOBS", blobs)
    _check_isbi(prepare("isbi2012", "--output", tmp_path / "data/out"), stacks, [8, 9])
    assert (tmp_path / "data/downloads/ISBI-2012-challenge.zip").is_file()


def _refusal_of_download(capsys: pytest.CaptureFixture[str], name: str, output: Path) -> str:
    capsys.readouterr()
    assert main([name, "--output", str(output)]) == 2
    assert not output.exists()
    return next(line for line in capsys.readouterr().err.splitlines() if line.startswith("error: "))


def test_failed_download_names_the_address_and_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(isbi2012, "ARCHIVE", Archive((tmp_path / "nothing.zip").as_uri(), "x"))
    line = _refusal_of_download(capsys, "isbi2012", tmp_path / "out")
    assert "nothing.zip: cannot be downloaded" in line
    assert "give it as --source" in line
    path = tmp_path / "wrong.zip"
    path.write_bytes(b"not the archive")
    data = replace(ctc.DATASETS["dic-hela"], archive=Archive(path.as_uri(), "x", "0" * 64))
    monkeypatch.setitem(ctc.DATASETS, "dic-hela", data)
    assert "wrong.zip: cannot be downloaded" in _refusal_of_download(capsys, "dic-hela", tmp_path / "out")


def test_isbi_refusals(tmp_path: Path, stacks: dict[str, np.ndarray], capsys: pytest.CaptureFixture[str]) -> None:
    source, output = tmp_path / "archive", tmp_path / "out"
    run = ("isbi2012", "--source", source, "--output", output)
    assert "--folds: is 11; 10 sections" in refusal(capsys, *run, "--folds", 11)
    assert "--fold: is 3; with 3 folds, give 0 to 2" in refusal(capsys, *run, "--folds", 3, "--fold", 3)
    assert "nowhere: no such file or folder" in refusal(capsys, *run[:2], tmp_path / "nowhere", *run[3:])
    folder = source / "ISBI-2012-challenge"
    tifffile.imwrite(folder / "train-labels.tif", binary_mask(9, *SHAPE), photometric="minisblack")
    assert "10 sections, but 9 labels" in refusal(capsys, *run)
    tifffile.imwrite(folder / "train-labels.tif", random_pixels(10, *SHAPE), photometric="minisblack")
    assert "unexpected mask values" in refusal(capsys, *run)
    (folder / "train-volume.tif").unlink()
    assert "has neither train-volume.tif nor images in train/image" in refusal(capsys, *run)


def test_output_that_exists_is_refused_and_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("keep")
    line = refusal(capsys, "synthetic", "--output", tmp_path / "out")
    assert line.endswith("out: exists already; give a new or empty folder")
    assert (tmp_path / "out/mine.txt").read_text() == "keep"
    assert main(["synthetic", "--output", str(tmp_path / "out/mine.txt/set")]) == 2
    assert "set: cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["../evil.tif", "/evil.tif", "a/../../evil.tif", "..\\evil.tif", "C:\\evil.tif"])
def test_archive_that_points_outside_is_refused(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "evil.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, b"evil")
    line = refusal(capsys, "isbi2012", "--source", path, "--output", tmp_path / "out")
    assert "points outside of it" in line


def test_truncated_archive_is_refused(
    tmp_path: Path, stacks: dict[str, np.ndarray], capsys: pytest.CaptureFixture[str]
) -> None:
    path = _zip(tmp_path / "archive", tmp_path / "a.zip")
    path.write_bytes(path.read_bytes()[:-300])
    line = refusal(capsys, "isbi2012", "--source", path, "--output", tmp_path / "out")
    assert "a.zip: truncated, corrupt or not a zip archive" in line
