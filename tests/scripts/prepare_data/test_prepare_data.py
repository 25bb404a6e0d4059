"""Data sets from archives, folders and own images, and one line for whatever is wrong with them."""

from __future__ import annotations

import hashlib
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from custom.data import LoadMicroscopyd, read_dataset, read_image, read_mask, write_image
from custom.data.datalist import Datalist
from scripts.prepare_data import ctc, isbi2012
from scripts.prepare_data.__main__ import main
from scripts.prepare_data.source import Archive

SHAPE = (24, 33)
GENERATOR = np.random.default_rng(0)


def _prepare(*arguments: str | Path) -> Datalist:
    assert main([str(argument) for argument in arguments]) == 0
    return read_dataset(arguments[arguments.index("--output") + 1], most_classes=255)


def _refusal(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """The one line on standard error. Nothing is left at the output, nor beside it."""
    output = Path(arguments[arguments.index("--output") + 1])
    before = set(output.parent.iterdir())
    capsys.readouterr()
    assert main([str(argument) for argument in arguments]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert set(output.parent.iterdir()) == before
    return lines[0]


def _names(items: list[dict], key: str = "image") -> list[str]:
    return [Path(item[key]).stem for item in items]


def _random(*shape: int) -> np.ndarray:
    return GENERATOR.integers(0, 256, shape or SHAPE, dtype=np.uint8)


def _binary(*shape: int) -> np.ndarray:
    return GENERATOR.integers(0, 2, shape or SHAPE, dtype=np.uint8) * np.uint8(255)


@pytest.fixture
def stacks(tmp_path: Path) -> dict[str, np.ndarray]:
    """A small challenge of 10 + 4 sections, as multi-page TIFF in `archive/ISBI-2012-challenge`."""
    stacks = {
        "train-volume": _random(10, *SHAPE),
        "train-labels": _binary(10, *SHAPE),
        "test-volume": _random(4, *SHAPE),
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
    assert [int(name) for name in _names(dataset.validation)] == held_out
    assert [int(name) for name in _names(dataset.training)] == sorted(set(range(10)) - set(held_out))
    assert _names(dataset.test) == ["00", "01", "02", "03"]
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
        dataset = _prepare("isbi2012", "--source", source, "--output", tmp_path / f"out{number}")
        _check_isbi(dataset, stacks, [8, 9])
        assert dataset.class_names == ("membrane", "cell")
        assert "non-commercial" in dataset.about["licence"]


def test_isbi_folds_are_contiguous_and_cover_all(tmp_path: Path, stacks: dict[str, np.ndarray]) -> None:
    seen: list[int] = []
    for fold in range(3):
        output = tmp_path / f"fold{fold}"
        dataset = _prepare(
            "isbi2012", "--source", tmp_path / "archive", "--output", output, "--folds", 3, "--fold", fold
        )
        held_out = [int(name) for name in _names(dataset.validation)]
        assert held_out == list(range(held_out[0], held_out[-1] + 1))
        _check_isbi(dataset, stacks, held_out)
        seen += held_out
    assert seen == list(range(10))


def test_isbi_test_labels_are_used_if_there(tmp_path: Path, stacks: dict[str, np.ndarray]) -> None:
    labels = _binary(4, *SHAPE)
    tifffile.imwrite(tmp_path / "archive/ISBI-2012-challenge/test-labels.tif", labels, photometric="minisblack")
    dataset = _prepare("isbi2012", "--source", tmp_path / "archive", "--output", tmp_path / "out")
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
    _check_isbi(_prepare("isbi2012", "--output", tmp_path / "data/out"), stacks, [8, 9])
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
    assert "--folds: is 11; 10 sections" in _refusal(capsys, *run, "--folds", 11)
    assert "--fold: is 3; with 3 folds, give 0 to 2" in _refusal(capsys, *run, "--folds", 3, "--fold", 3)
    assert "nowhere: no such file or folder" in _refusal(capsys, *run[:2], tmp_path / "nowhere", *run[3:])
    folder = source / "ISBI-2012-challenge"
    tifffile.imwrite(folder / "train-labels.tif", _binary(9, *SHAPE), photometric="minisblack")
    assert "10 sections, but 9 labels" in _refusal(capsys, *run)
    tifffile.imwrite(folder / "train-labels.tif", _random(10, *SHAPE), photometric="minisblack")
    assert "unexpected mask values" in _refusal(capsys, *run)
    (folder / "train-volume.tif").unlink()
    assert "has neither train-volume.tif nor images in train/image" in _refusal(capsys, *run)


def test_output_that_exists_is_refused_and_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("keep")
    line = _refusal(capsys, "synthetic", "--output", tmp_path / "out")
    assert line.endswith("out: exists already; give a new or empty folder")
    assert (tmp_path / "out/mine.txt").read_text() == "keep"
    assert main(["synthetic", "--output", str(tmp_path / "out/mine.txt/set")]) == 2
    assert "set: cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["../evil.tif", "/evil.tif", "a/../../evil.tif", "..\\evil.tif", "C:\\evil.tif"])
def test_archive_that_points_outside_is_refused(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "evil.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, b"evil")
    line = _refusal(capsys, "isbi2012", "--source", path, "--output", tmp_path / "out")
    assert "points outside of it" in line


def test_truncated_archive_is_refused(
    tmp_path: Path, stacks: dict[str, np.ndarray], capsys: pytest.CaptureFixture[str]
) -> None:
    path = _zip(tmp_path / "archive", tmp_path / "a.zip")
    path.write_bytes(path.read_bytes()[:-300])
    line = _refusal(capsys, "isbi2012", "--source", path, "--output", tmp_path / "out")
    assert "a.zip: truncated, corrupt or not a zip archive" in line


def test_synthetic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from custom.data import synthetic

    monkeypatch.setattr(synthetic.make_synthetic, "__defaults__", (0, (40, 56), {"training": 2, "validation": 1}))
    first = _prepare("synthetic", "--output", tmp_path / "a", "--seed", 5)
    assert first.about["seed"] == "5"
    assert len(first.training) == 2


# Cell Tracking Challenge


def _write_sequence(
    root: Path, name: str, frames: int, gold: dict[int, list[int]], silver: dict[int, list[int]]
) -> None:
    """Images whose gray value is the frame number, and masks where cell k is a block of 6 x 6 pixels at column 8 k."""
    for frame in range(frames):
        _write_tiff(root / name / f"t{frame:03d}.tif", np.full(SHAPE, frame, np.uint8))
    for kind, masks in (("GT", gold), ("ST", silver)):
        for frame, cells in masks.items():
            mask = np.zeros(SHAPE, np.uint16)
            for cell in cells:
                mask[8:14, 8 * cell : 8 * cell + 6] = cell + 1
            _write_tiff(root / f"{name}_{kind}" / "SEG" / f"man_seg{frame:03d}.tif", mask)


def _write_tiff(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, array, compression="lzw")


@pytest.fixture
def hela(tmp_path: Path) -> Path:
    """One sequence of 40 frames: gold in 2, 10, 30, 31; frame 30 lacks a cell in gold, frame 20 in silver."""
    silver = {frame: [0, 1, 2] for frame in range(40)}
    silver[20] = [0, 1]
    gold = {2: [0, 1, 2], 10: [0, 2], 30: [0, 1], 31: [0, 1, 2]}
    _write_sequence(tmp_path / "DIC-C2DH-HeLa", "01", 40, gold, silver)
    return tmp_path


def _frames(items: list[dict]) -> list[int]:
    return [int(name.removeprefix("t")) for name in _names(items)]


def test_ctc_one_sequence_is_split_in_time_with_a_gap(hela: Path) -> None:
    dataset = _prepare("dic-hela", "--source", hela, "--output", hela / "out", "--folds", 2)
    assert _frames(dataset.validation) == [30, 31]
    assert _frames(dataset.training) == list(range(30 - ctc.GAP))
    assert dataset.label_format.kind == "instances"
    dataset = _prepare("dic-hela", "--source", hela, "--output", hela / "out0", "--folds", 2, "--fold", 0)
    assert _frames(dataset.validation) == [2, 10]
    assert _frames(dataset.training) == list(range(11 + ctc.GAP, 40))
    for item in dataset.training + dataset.validation:
        assert (read_image(item["image"]) == int(Path(item["image"]).stem[1:])).all()


def test_ctc_default_folds(hela: Path) -> None:
    dataset = _prepare("dic-hela", "--source", hela / "DIC-C2DH-HeLa", "--output", hela / "out")
    assert _frames(dataset.validation) == [31]


@pytest.mark.parametrize(
    ("annotations", "frames"), [("gold", [2, 10]), ("silver", list(range(25))), ("both", list(range(25)))]
)
def test_ctc_annotations(hela: Path, annotations: str, frames: list[int]) -> None:
    run = ("--source", hela, "--output", hela / "out", "--folds", 2, "--annotations", annotations)
    dataset = _prepare("dic-hela", *run)
    assert _frames(dataset.training) == frames
    masks = {frame: read_mask(item["label"]) for frame, item in zip(frames, dataset.training, strict=True)}
    assert set(np.unique(masks[2])) == {0, 1, 2, 3}
    # Gold frame 10 lacks the middle cell: to be ignored in gold, there in silver.
    assert masks[10][11, 11] == (ctc.IGNORE if annotations == "gold" else 2)


def test_ctc_cells_without_annotation_are_ignored(hela: Path) -> None:
    dataset = _prepare("dic-hela", "--source", hela, "--output", hela / "out", "--folds", 2)
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
        dataset = _prepare("phc-u373", *run)
        assert {Path(item["image"]).parts[-3] for item in dataset.training} == {trained}
        assert {Path(item["image"]).parts[-3] for item in dataset.validation} == {held_out}
        assert _frames(dataset.training) == list(range(6))
        assert _frames(dataset.validation) == [1, 4]
    dataset = _prepare("phc-u373", "--source", tmp_path, "--output", tmp_path / "out")
    assert {Path(item["image"]).parts[-3] for item in dataset.validation} == {"02"}


def test_ctc_refusals(hela: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = ("dic-hela", "--source", hela, "--output", hela / "out")
    assert "--folds: is 5; give 2 to 4" in _refusal(capsys, *run, "--folds", 5)
    assert "--fold: is 7; with 2 folds, give 0 to 1" in _refusal(capsys, *run, "--folds", 2, "--fold", 7)
    assert "no sequence with masks" in _refusal(capsys, *run[:2], hela / "DIC-C2DH-HeLa/01", *run[3:])
    root = hela / "DIC-C2DH-HeLa"
    broken = root / "01_ST/SEG/man_seg003.tif"
    content = broken.read_bytes()
    broken.write_bytes(content[:150])
    assert "man_seg003.tif: truncated" in _refusal(capsys, *run)
    broken.write_bytes(content)
    (root / "01/t003.tif").unlink()
    assert "has masks but no image of frame 3" in _refusal(capsys, *run)


# Own images


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Ten pairs of images and two-valued masks, in several formats."""
    root = tmp_path / "own"
    for number in range(10):
        suffix = (".png", ".tif", ".bmp", ".jpg")[number % 4]
        write_image(root / "masks" / f"cell_{number}_mask.png", _binary())
        (root / "images").mkdir(exist_ok=True)
        Image.fromarray(_random()).save(root / "images" / f"cell_{number}{suffix}")
    return root


def test_folder(own: Path, tmp_path: Path) -> None:
    dataset = _prepare("folder", "--source", own, "--output", tmp_path / "out")
    assert (len(dataset.training), len(dataset.validation), len(dataset.test)) == (8, 2, 0)
    assert dataset.label_format.values == (0, 255)
    assert dataset.about["name"] == "own"
    for item in dataset.training + dataset.validation:
        name = Path(item["image"]).stem
        original = next((own / "images").glob(f"{name}.*"))
        np.testing.assert_array_equal(read_image(item["image"]), read_image(original))
        np.testing.assert_array_equal(read_mask(item["label"]), read_mask(own / "masks" / f"{name}_mask.png"))


def test_folder_split_is_decided_by_seed_and_fraction(own: Path, tmp_path: Path) -> None:
    at_random = ("--split", "random")
    held_out = [
        _names(_prepare("folder", "--source", own, "--output", tmp_path / f"{n}", "--seed", s, *at_random).validation)
        for n, s in enumerate((1, 1, 2))
    ]
    assert held_out[0] == held_out[1] != held_out[2]
    dataset = _prepare("folder", "--source", own, "--output", tmp_path / "half", "--validation_fraction", 0.5)
    assert len(dataset.validation) == 5
    run = ("folder", "--images", own / "images", "--masks", own / "masks")
    folds = [
        _names(_prepare(*run, "--output", tmp_path / f"fold{k}", "--folds", 3, "--fold", k).validation)
        for k in range(3)
    ]
    assert sorted(name for fold in folds for name in fold) == sorted(f"cell_{number}" for number in range(10))


def test_folder_of_instances_with_ignored_regions(tmp_path: Path) -> None:
    masks = [GENERATOR.integers(0, 300, SHAPE).astype(np.uint16) for _ in range(2)]
    for number, mask in enumerate(masks):
        mask[0, :3] = 999
        write_image(tmp_path / "own/images" / f"{number}.tif", GENERATOR.random(SHAPE, np.float32))
        write_image(tmp_path / "own/masks" / f"{number}.tif", mask)
    run = ("folder", "--source", tmp_path / "own", "--output", tmp_path / "out", "--instances", "--ignore", 999)
    dataset = _prepare(*run)
    for item in dataset.training + dataset.validation:
        mask = masks[int(Path(item["image"]).stem)]
        instance = LoadMicroscopyd()(item)["instance"][0].numpy()
        np.testing.assert_array_equal(instance, np.where(mask == 999, -1, mask.astype(np.int32)))
        np.testing.assert_array_equal(
            read_image(item["image"]), read_image(tmp_path / "own/images" / Path(item["image"]).name)
        )


def test_folder_of_several_classes(tmp_path: Path) -> None:
    for number in range(2):
        write_image(tmp_path / "own/images" / f"{number}.png", _random(*SHAPE, 3))
        write_image(
            tmp_path / "own/masks" / f"{number}.png", GENERATOR.choice(np.array([0, 100, 200], np.uint8), SHAPE)
        )
    dataset = _prepare("folder", "--source", tmp_path / "own", "--output", tmp_path / "out", "--classes")
    assert dataset.label_format.values == (0, 100, 200)
    assert set(np.unique(LoadMicroscopyd()(dataset.training[0])["label"])) == {0, 1, 2}


def test_folder_of_stacks(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "own/images").mkdir(parents=True, exist_ok=True)
        (tmp_path / "own/masks").mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(tmp_path / f"own/images/{name}.tif", _random(3, *SHAPE), photometric="minisblack")
        tifffile.imwrite(tmp_path / f"own/masks/{name}.tif", _binary(3, *SHAPE), photometric="minisblack")
    dataset = _prepare("folder", "--source", tmp_path / "own", "--output", tmp_path / "out")
    assert len(dataset.training) == len(dataset.validation) == 3
    (trained,) = {name.split("_")[0] for name in _names(dataset.training)}
    for page, item in enumerate(dataset.training):
        assert Path(item["image"]).stem == f"{trained}_{page:03d}"
        np.testing.assert_array_equal(
            read_image(item["image"]), read_image(tmp_path / f"own/images/{trained}.tif", page)
        )


def test_folder_refusals(own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = ("folder", "--source", own, "--output", tmp_path / "out")
    assert "give --source DIR with images/ and masks/" in _refusal(capsys, "folder", *run[3:])
    assert "or both --images and --masks" in _refusal(capsys, "folder", "--images", own / "images", *run[3:])
    assert "images: no such folder" in _refusal(capsys, "folder", "--source", tmp_path, *run[3:])
    assert "--fold: needs --folds" in _refusal(capsys, *run, "--fold", 1)
    assert "--folds: is 11; 10 files" in _refusal(capsys, *run, "--folds", 11)
    assert "--fold: is 2; with 2 folds" in _refusal(capsys, *run, "--folds", 2, "--fold", 2)
    assert "--validation_fraction: is 1.5; give a share" in _refusal(capsys, *run, "--validation_fraction", 1.5)
    mask = own / "masks/cell_3_mask.png"
    original = mask.read_bytes()
    for array, message in (
        (_random(*SHAPE[::-1]), "cell_3_mask.png: the mask has 33 x 24 pixels"),
        (_random(*SHAPE), "say --instances if each is an object, --classes if each is a class"),
    ):
        write_image(mask, array)
        assert message in _refusal(capsys, *run)
    mask.write_bytes(original[:50])
    assert "cell_3_mask.png: truncated" in _refusal(capsys, *run)
    mask.unlink()
    assert "cell_3.jpg: has no label of its name; name one cell_3" in _refusal(capsys, *run)
    mask.write_bytes(original)
    (own / "images/cell_3.jpg").unlink()
    assert "cell_3_mask.png: has no image" in _refusal(capsys, *run)


def test_folder_more_refusals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = tmp_path / "own"
    run = ("folder", "--source", own, "--output", tmp_path / "out")
    write_image(own / "masks/a.png", np.zeros(SHAPE, np.uint8))
    (own / "images").mkdir()
    assert "images: no images" in _refusal(capsys, *run)
    write_image(own / "images/a.png", _random())
    assert "a.png: is the only image;" in _refusal(capsys, *run)
    write_image(own / "images/b.png", _random())
    write_image(own / "masks/b.png", np.zeros(SHAPE, np.uint8))
    assert "the masks hold the value 0 alone" in _refusal(capsys, *run)
    write_image(own / "images/b.tif", _random())
    assert "has the same name as b.png" in _refusal(capsys, *run)
    (own / "images/b.tif").unlink()
    image = np.zeros(SHAPE, np.float32)
    image[0, 0] = np.inf
    (own / "images/b.png").unlink()
    tifffile.imwrite(own / "images/b.tif", image)
    assert "b.tif: 1 pixels are NaN or Inf" in _refusal(capsys, *run)
    tifffile.imwrite(own / "images/b.tif", _random(2, *SHAPE), photometric="minisblack")
    assert "b.png: has 1 pages, its image b.tif has 2" in _refusal(capsys, *run)


def test_prepared_folder_can_be_moved(own: Path, tmp_path: Path) -> None:
    _prepare("folder", "--source", own, "--output", tmp_path / "out")
    moved = (tmp_path / "out").rename(tmp_path / "moved")
    content = json.loads((moved / "dataset.json").read_text())
    assert not any(Path(item["image"]).is_absolute() for item in content["training"])
    assert len(read_dataset(moved).training) == 8


def test_real_data(real_data: Path, tmp_path: Path) -> None:
    em = _prepare("isbi2012", "--source", real_data / "isbi2012", "--output", tmp_path / "em")
    assert [int(name) for name in _names(em.training)] == list(range(24))
    assert [int(name) for name in _names(em.validation)] == list(range(24, 30))
    assert len(em.test) == 30
    hela = _prepare("dic-hela", "--source", real_data / "DIC-C2DH-HeLa", "--output", tmp_path / "hela")
    assert _frames(hela.validation) == [39, 54, 67]
    assert _frames(hela.training) == list(range(34))
    ignored = [float((LoadMicroscopyd()(item)["label"] == 255).float().mean()) for item in hela.validation]
    assert ignored[1] == 0
    assert 0 < ignored[0] < 0.05 < 0.5 < ignored[2]
    u373 = _prepare("phc-u373", "--source", real_data / "PhC-C2DH-U373", "--output", tmp_path / "u373")
    assert _frames(u373.validation) == [92, 96, 100, 102, 112]
