"""Own images and masks, and the built-in set."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from custom.data import LoadMicroscopyd, read_dataset, read_image, read_mask, write_image

from .common import GENERATOR, SHAPE, binary_mask, names, prepare, random_pixels, refusal


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Ten pairs of images and two-valued masks, in several formats."""
    root = tmp_path / "own"
    for number in range(10):
        suffix = (".png", ".tif", ".bmp", ".jpg")[number % 4]
        write_image(root / "masks" / f"cell_{number}_mask.png", binary_mask())
        (root / "images").mkdir(exist_ok=True)
        Image.fromarray(random_pixels()).save(root / "images" / f"cell_{number}{suffix}")
    return root


def test_folder(own: Path, tmp_path: Path) -> None:
    dataset = prepare("folder", "--source", own, "--output", tmp_path / "out")
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
        names(prepare("folder", "--source", own, "--output", tmp_path / f"{n}", "--seed", s, *at_random).validation)
        for n, s in enumerate((1, 1, 2))
    ]
    assert held_out[0] == held_out[1] != held_out[2]
    dataset = prepare("folder", "--source", own, "--output", tmp_path / "half", "--validation_fraction", 0.5)
    assert len(dataset.validation) == 5
    run = ("folder", "--images", own / "images", "--masks", own / "masks")
    folds = [
        names(prepare(*run, "--output", tmp_path / f"fold{k}", "--folds", 3, "--fold", k).validation) for k in range(3)
    ]
    assert sorted(name for fold in folds for name in fold) == sorted(f"cell_{number}" for number in range(10))


def test_folder_of_instances_with_ignored_regions(tmp_path: Path) -> None:
    masks = [GENERATOR.integers(0, 300, SHAPE).astype(np.uint16) for _ in range(2)]
    for number, mask in enumerate(masks):
        mask[0, :3] = 999
        write_image(tmp_path / "own/images" / f"{number}.tif", GENERATOR.random(SHAPE, np.float32))
        write_image(tmp_path / "own/masks" / f"{number}.tif", mask)
    run = ("folder", "--source", tmp_path / "own", "--output", tmp_path / "out", "--instances", "--ignore", 999)
    dataset = prepare(*run)
    for item in dataset.training + dataset.validation:
        mask = masks[int(Path(item["image"]).stem)]
        instance = LoadMicroscopyd()(item)["instance"][0].numpy()
        np.testing.assert_array_equal(instance, np.where(mask == 999, -1, mask.astype(np.int32)))
        np.testing.assert_array_equal(
            read_image(item["image"]), read_image(tmp_path / "own/images" / Path(item["image"]).name)
        )


def test_folder_of_several_classes(tmp_path: Path) -> None:
    for number in range(2):
        write_image(tmp_path / "own/images" / f"{number}.png", random_pixels(*SHAPE, 3))
        write_image(
            tmp_path / "own/masks" / f"{number}.png", GENERATOR.choice(np.array([0, 100, 200], np.uint8), SHAPE)
        )
    dataset = prepare("folder", "--source", tmp_path / "own", "--output", tmp_path / "out", "--classes")
    assert dataset.label_format.values == (0, 100, 200)
    assert set(np.unique(LoadMicroscopyd()(dataset.training[0])["label"])) == {0, 1, 2}


def test_folder_of_stacks(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "own/images").mkdir(parents=True, exist_ok=True)
        (tmp_path / "own/masks").mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(tmp_path / f"own/images/{name}.tif", random_pixels(3, *SHAPE), photometric="minisblack")
        tifffile.imwrite(tmp_path / f"own/masks/{name}.tif", binary_mask(3, *SHAPE), photometric="minisblack")
    dataset = prepare("folder", "--source", tmp_path / "own", "--output", tmp_path / "out")
    assert len(dataset.training) == len(dataset.validation) == 3
    (trained,) = {name.split("_")[0] for name in names(dataset.training)}
    for page, item in enumerate(dataset.training):
        assert Path(item["image"]).stem == f"{trained}_{page:03d}"
        np.testing.assert_array_equal(
            read_image(item["image"]), read_image(tmp_path / f"own/images/{trained}.tif", page)
        )


def test_folder_refusals(own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = ("folder", "--source", own, "--output", tmp_path / "out")
    assert "give --source DIR with images/ and masks/" in refusal(capsys, "folder", *run[3:])
    assert "or both --images and --masks" in refusal(capsys, "folder", "--images", own / "images", *run[3:])
    assert "nowhere: no such folder" in refusal(capsys, "folder", "--source", tmp_path / "nowhere", *run[3:])
    assert "--fold: needs --folds" in refusal(capsys, *run, "--fold", 1)
    assert "--folds: is 11; 10 files" in refusal(capsys, *run, "--folds", 11)
    assert "--fold: is 2; with 2 folds" in refusal(capsys, *run, "--folds", 2, "--fold", 2)
    assert "--validation_fraction: is 1.5; give a share" in refusal(capsys, *run, "--validation_fraction", 1.5)
    mask = own / "masks/cell_3_mask.png"
    original = mask.read_bytes()
    for array, message in (
        (random_pixels(*SHAPE[::-1]), "cell_3_mask.png: the mask has 33 x 24 pixels"),
        (random_pixels(*SHAPE), "say --instances if each is an object, --classes if each is a class"),
    ):
        write_image(mask, array)
        assert message in refusal(capsys, *run)
    mask.write_bytes(original[:50])
    assert "cell_3_mask.png: truncated" in refusal(capsys, *run)
    mask.unlink()
    assert "cell_3.jpg: has no label of its name; name one cell_3" in refusal(capsys, *run)
    mask.write_bytes(original)
    (own / "images/cell_3.jpg").unlink()
    assert "cell_3_mask.png: has no image" in refusal(capsys, *run)


def test_folder_more_refusals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = tmp_path / "own"
    run = ("folder", "--source", own, "--output", tmp_path / "out")
    write_image(own / "masks/a.png", np.zeros(SHAPE, np.uint8))
    (own / "images").mkdir()
    assert "images: no images" in refusal(capsys, *run)
    write_image(own / "images/a.png", random_pixels())
    assert "a.png: is the only image;" in refusal(capsys, *run)
    write_image(own / "images/b.png", random_pixels())
    write_image(own / "masks/b.png", np.zeros(SHAPE, np.uint8))
    assert "the masks hold the value 0 alone" in refusal(capsys, *run)
    write_image(own / "images/b.tif", random_pixels())
    assert "has the same name as b.png" in refusal(capsys, *run)
    (own / "images/b.tif").unlink()
    image = np.zeros(SHAPE, np.float32)
    image[0, 0] = np.inf
    (own / "images/b.png").unlink()
    tifffile.imwrite(own / "images/b.tif", image)
    assert "b.tif: 1 pixels are NaN or Inf" in refusal(capsys, *run)
    tifffile.imwrite(own / "images/b.tif", random_pixels(2, *SHAPE), photometric="minisblack")
    assert "b.png: has 1 pages, its image b.tif has 2" in refusal(capsys, *run)


def test_prepared_folder_can_be_moved(own: Path, tmp_path: Path) -> None:
    prepare("folder", "--source", own, "--output", tmp_path / "out")
    moved = (tmp_path / "out").rename(tmp_path / "moved")
    content = json.loads((moved / "dataset.json").read_text())
    assert not any(Path(item["image"]).is_absolute() for item in content["training"])
    assert len(read_dataset(moved).training) == 8


def test_synthetic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from custom.data import synthetic

    monkeypatch.setattr(synthetic.make_synthetic, "__defaults__", (0, (40, 56), {"training": 2, "validation": 1}))
    first = prepare("synthetic", "--output", tmp_path / "a", "--seed", 5)
    assert first.about["seed"] == "5"
    assert len(first.training) == 2
