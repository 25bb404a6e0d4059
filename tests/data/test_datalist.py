"""`dataset.json` is read, and whatever is wrong with a data set is one line before any training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from custom.data import LabelFormat, read_dataset, write_dataset, write_image
from custom.errors import UserError

SHAPE = (20, 31)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A valid data set of three images; the test image has no label."""
    generator = np.random.default_rng(0)
    for name in "abc":
        write_image(tmp_path / f"{name}.png", generator.integers(0, 255, SHAPE, dtype=np.uint8))
        write_image(tmp_path / f"{name}_label.png", generator.integers(0, 2, SHAPE, dtype=np.uint8) * np.uint8(255))
    pairs = [{"image": f"{name}.png", "label": f"{name}_label.png"} for name in "ab"]
    items = {"training": pairs[:1], "validation": pairs[1:], "test": [{"image": "c.png"}]}
    write_dataset(tmp_path, {"name": "tiny"}, "classes", {"0": "membrane", "255": "cell"}, items)
    return tmp_path


def _edit(folder: Path, **changes: Any) -> None:
    path = folder / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_lists_and_labels(folder: Path) -> None:
    dataset = read_dataset(folder)
    label_format = LabelFormat("classes", (0, 255))
    assert dataset.label_format == label_format
    assert dataset.class_names == ("membrane", "cell")
    assert dataset.about == {"name": "tiny"}
    assert dataset.training == [
        {"image": str(folder / "a.png"), "label": str(folder / "a_label.png"), "label_format": label_format}
    ]
    assert dataset.test == [{"image": str(folder / "c.png"), "label_format": label_format}]


def test_relative_folder_gives_absolute_paths(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    assert Path(read_dataset(folder.name).training[0]["image"]).is_absolute()


def test_instances(folder: Path) -> None:
    _edit(folder, label_kind="instances", labels={"0": "background", ">0": "cell"}, ignore_value=255)
    assert read_dataset(folder).label_format == LabelFormat("instances", ignore=255)


def test_missing_folder_and_file(folder: Path) -> None:
    with pytest.raises(UserError, match="nowhere: no such data set folder"):
        read_dataset(folder / "nowhere")
    (folder / "dataset.json").unlink()
    with pytest.raises(UserError, match=r"dataset\.json: missing; .*prepare_data"):
        read_dataset(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{\n"name": "a",\n"labels" {}}', r"dataset\.json: broken JSON in line 3, column 10"),
        ("", "broken JSON in line 1"),
        ("[]", "holds a list; a JSON object"),
        ("{}", "lacks name, label_kind, labels, training, validation"),
        ("\udcff", "cannot be read"),
    ],
)
def test_broken_json(folder: Path, text: str, message: str) -> None:
    (folder / "dataset.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(UserError, match=message):
        read_dataset(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"training": []}, "the `training` list is empty"),
        ({"training": {}}, "training is a dict; give a list"),
        ({"training": ["a.png"]}, r"training\[0\] is 'a.png'; give"),
        ({"training": [{"image": "a.png"}]}, r"training\[0\] is .*label"),
        ({"training": [{"image": "a.png", "label": "a_label.png", "mask": "b"}]}, r"training\[0\]"),
        (
            {"validation": [{"image": "x.png", "label": "a_label.png"}]},
            r"validation\[0\] names x.png, which is not there",
        ),
        ({"test": [{"image": "c.png", "label": "y.png"}]}, r"test\[0\] names y.png"),
        ({"label_kind": "boxes"}, "label_kind is 'boxes'; use"),
        ({"labels": {"0": "all"}}, "labels is .* give two or more"),
        ({"labels": ["a", "b"]}, "labels is .* give two or more"),
        ({"labels": {"red": "a", "blue": "b"}}, "labels has keys red, blue; each is a pixel value"),
        ({"labels": {"0": "a", "00": "b"}}, "each value means one thing"),
        ({"ignore_value": 255}, "each value means one thing"),
        ({"ignore_value": "255"}, "ignore_value is '255'; give a pixel value"),
        ({"label_kind": "instances"}, "labels of instances are"),
        ({"labels": {"0": "a", "1": "b"}}, r"a_label\.png: unexpected mask values 255; the data set declares 0, 1"),
    ],
)
def test_wrong_content(folder: Path, changes: dict[str, Any], message: str) -> None:
    _edit(folder, **changes)
    with pytest.raises(UserError, match=message) as caught:
        read_dataset(folder)
    assert "\n" not in str(caught.value)


def test_files_are_checked_before_training(folder: Path) -> None:
    label = folder / "b_label.png"
    write_image(label, np.zeros((20, 30), np.uint8))
    with pytest.raises(UserError, match=r"b_label\.png: the mask has 20 x 30 pixels .* b\.png has 20 x 31"):
        read_dataset(folder)
    label.write_bytes(label.read_bytes()[:45])
    with pytest.raises(UserError, match=r"b_label\.png: truncated"):
        read_dataset(folder)
    assert len(read_dataset(folder, check=False).validation) == 1


def test_test_images_are_checked_too(folder: Path) -> None:
    image = np.zeros(SHAPE, np.float32)
    image[0, 0] = np.nan
    tifffile.imwrite(folder / "c.tif", image)
    _edit(folder, test=[{"image": "c.tif"}])
    with pytest.raises(UserError, match=r"c\.tif: 1 pixels are NaN or Inf"):
        read_dataset(folder)


def test_stacks_are_refused_in_lists(folder: Path) -> None:
    tifffile.imwrite(folder / "c.tif", np.zeros((2, *SHAPE), np.uint8), photometric="minisblack")
    _edit(folder, test=[{"image": "c.tif"}])
    with pytest.raises(UserError, match=r"c\.tif: has 2 pages"):
        read_dataset(folder)
