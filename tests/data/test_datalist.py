"""Reading of `dataset.json`, and one-line errors for invalid data sets."""

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


def test_validation_images_join_those_for_training(folder: Path) -> None:
    dataset = read_dataset(folder)
    joined = dataset.all_in_training()
    assert joined.training == dataset.training + dataset.validation
    assert (joined.validation, joined.test, joined.about) == ([], dataset.test, dataset.about)
    assert len(dataset.validation) == 1


def test_relative_folder_gives_absolute_paths(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    assert Path(read_dataset(folder.name).training[0]["image"]).is_absolute()


def test_instances(folder: Path) -> None:
    _edit(folder, label_kind="instances", labels={"0": "background", ">0": "cell"}, ignore_value=255)
    dataset = read_dataset(folder)
    assert dataset.label_format == LabelFormat("instances", ignore=255)
    assert dataset.seen == {"training": {0}, "validation": {0}, "test": set()}
    label = Path(dataset.training[0]["label"])
    write_image(label, np.arange(SHAPE[0] * SHAPE[1], dtype=np.uint16).reshape(SHAPE))
    assert read_dataset(folder).training == dataset.training
    assert read_dataset(folder).seen["training"] == {0, 1}


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
            r"validation\[0\] names x.png, which does not exist",
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
        ({"name": 5}, "name is 5; give a text"),
        ({"ignore": 128}, "'ignore' has no effect; did you mean 'ignore_value'"),
        ({"license": "CC0"}, "'license' has no effect; did you mean 'licence'"),
        ({"validation": [{"image": "b.png", "label": "b.png"}]}, r"validation\[0\] names b.png as image and as label"),
        ({"test": [{"image": "x\\c.png"}]}, r"names x\\c.png, which does not exist; write / instead of"),
        ({"labels": {"0": "a", "1": "b"}}, r"a_label\.png: unexpected mask values 255; the data set declares 0, 1"),
    ],
)
def test_wrong_content(folder: Path, changes: dict[str, Any], message: str) -> None:
    _edit(folder, **changes)
    with pytest.raises(UserError, match=message) as caught:
        read_dataset(folder)
    assert "\n" not in str(caught.value)


def test_notes_are_kept(folder: Path) -> None:
    _edit(folder, citation="a paper", _comment=["drawn by", "hand"], numTraining=2)
    assert read_dataset(folder).about["citation"] == "a paper"


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


def test_three_classes_are_in_the_order_of_the_file(folder: Path) -> None:
    _edit(folder, labels={"0": "membrane", "255": "cell", "7": "mitochondrion"})
    dataset = read_dataset(folder)
    assert (dataset.label_format.values, dataset.class_names) == ((0, 255, 7), ("membrane", "cell", "mitochondrion"))


@pytest.mark.parametrize("value", ["-1", "65536"])
def test_classes_have_values_that_masks_can_hold(folder: Path, value: str) -> None:
    _edit(folder, labels={"0": "membrane", "255": "cell", value: "mitochondrion"})
    with pytest.raises(UserError, match=r"are mask values of 8 or 16 bits; give 0 to 65535"):
        read_dataset(folder)


def test_256_classes_leave_no_value_for_ignored_pixels(folder: Path) -> None:
    _edit(folder, labels={str(value): f"class {value}" for value in range(256)})
    with pytest.raises(UserError, match=r"declares 256 classes; 255 at most are possible"):
        read_dataset(folder)


@pytest.mark.parametrize("split", ["validation", "test"])
@pytest.mark.parametrize("check", [True, False])
def test_the_same_file_is_not_trained_on_and_held_out(folder: Path, split: str, check: bool) -> None:
    _edit(folder, **{split: [{"image": "../" + folder.name + "/a.png", "label": "a_label.png"}]})
    with pytest.raises(UserError, match=rf"{split} image .*a\.png has the same pixels as training image .*a\.png"):
        read_dataset(folder, check=check)


def test_the_same_pixels_in_another_file_are_found(folder: Path) -> None:
    from custom.data import read_image

    write_image(folder / "copy.tif", read_image(folder / "a.png"))
    _edit(folder, test=[{"image": "copy.tif"}])
    with pytest.raises(UserError, match=r"test image .*copy\.tif has the same pixels as training image .*a\.png"):
        read_dataset(folder)


def test_blank_images_may_be_alike(folder: Path) -> None:
    for name in "ac":
        write_image(folder / f"{name}.png", np.zeros(SHAPE, np.uint8))
    assert len(read_dataset(folder).test) == 1


def _numbered(folder: Path, held_out: list[int]) -> None:
    """A data set of six numbered images, some of them for validation."""
    generator = np.random.default_rng(1)
    items: dict[str, list[dict[str, str]]] = {"training": [], "validation": []}
    for number in range(6):
        write_image(folder / f"s{number:02d}.png", generator.integers(0, 255, SHAPE, dtype=np.uint8))
        write_image(folder / f"l{number:02d}.png", generator.integers(0, 2, SHAPE, dtype=np.uint8))
        split = "validation" if number in held_out else "training"
        items[split].append({"image": f"s{number:02d}.png", "label": f"l{number:02d}.png"})
    write_dataset(folder, {"name": "series"}, "classes", {"0": "a", "1": "b"}, items)


def test_neighbours_in_training_and_validation_are_warned_of(tmp_path: Path) -> None:
    _numbered(tmp_path, [1, 4])
    with pytest.warns(UserWarning, match=r"s00\.png and s01\.png, and 3 more neighbours by name"):
        read_dataset(tmp_path)


@pytest.mark.parametrize("held_out", [[4, 5], [2, 3], [0]])
def test_blocks_are_not_warned_of(tmp_path: Path, held_out: list[int], recwarn: pytest.WarningsRecorder) -> None:
    _numbered(tmp_path, held_out)
    read_dataset(tmp_path)
    assert not recwarn.list
