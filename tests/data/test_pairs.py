"""Pairing of images and labels by name."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from custom.data.pairs import image_name, list_images, list_masks, pair_by_name, pair_by_order
from custom.errors import UserError


def paths(*names: str, folder: str = "f") -> list[Path]:
    return [Path(folder, name) for name in names]


@pytest.mark.parametrize("ending", ["", "_mask", "_masks", "_label", "_labels", "_seg", "_gt", "_cp_masks", "_MASK"])
def test_endings_of_labels(ending: str) -> None:
    images, labels = paths("b.png", "a_1.tif"), paths(f"a_1{ending}.png", f"b{ending}.nii.gz")
    assert pair_by_name(images, labels) == [(images[1], labels[0]), (images[0], labels[1])]


@pytest.mark.parametrize("label", ["a.tif", "a.ome.tif", "a_mask.png", "a.ome_mask.tif", "a.ome.png"])
@pytest.mark.parametrize("image", ["a.ome.tif", "a.OME.TIFF"])
def test_ome_is_a_part_of_the_suffix(image: str, label: str) -> None:
    assert pair_by_name(paths(image), paths(label, folder="g")) == [(Path("f", image), Path("g", label))]


@pytest.mark.parametrize(
    ("image", "label"), [("{}_img.png", "{}_masks.png"), ("{}_0000.png", "{}.png"), ("{}_Raw.tif", "{}_gt.tif")]
)
def test_endings_of_images(image: str, label: str) -> None:
    images, labels = (paths(*(name.format(number) for number in ("x_001", "x_002"))) for name in (image, label))
    assert pair_by_name(images, labels) == list(zip(images, labels, strict=True))


def test_numbers_like_endings_of_images_are_names_if_labels_have_them() -> None:
    images, labels = paths("x_0000.png", "x_0001.png"), paths("x_0000_mask.png", "x_0001_mask.png")
    assert pair_by_name(images, labels) == list(zip(images, labels, strict=True))


def test_an_ending_alone_is_a_name() -> None:
    assert image_name(Path("_mask.png")) == "_mask"


def test_numbers_pair_by_value_and_not_by_sort_order() -> None:
    images = paths(*(f"{number}.png" for number in range(12)))
    labels = paths(*(f"{number:02d}.png" for number in range(12)))
    assert [(int(a.stem), int(b.stem)) for a, b in pair_by_name(images, labels)] == [
        (n, n) for n in (0, 1, 10, 11, 2, 3, 4, 5, 6, 7, 8, 9)
    ]


def test_pairs_are_sorted_by_the_file_of_the_image() -> None:
    images, labels = paths("10.png", "009.png"), paths("10.png", "9.png")
    assert pair_by_name(images, labels) == [(images[1], labels[1]), (images[0], labels[0])]


def test_exact_names_that_differ_in_zeros_alone_are_two_images() -> None:
    both = paths("1.png", "01.png")
    assert pair_by_name(both, both) == [(both[1], both[1]), (both[0], both[0])]


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (["a.png", "b.png"], ["a.png", "c.png"], r"b\.png: has no label of its name; name one b or b_mask; or so"),
        (["a.png"], ["a.png", "c_gt.png"], r"c_gt\.png: has no image; name one c, .*; or so"),
        (["a.png", "a.tif"], ["a.png"], r"a\.tif: has the same name as a\.png"),
        (["a.png"], ["a.png", "a_mask.png"], r"a_mask\.png: has the same name as a\.png"),
    ],
)
def test_names_that_do_not_agree(images: list[str], labels: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        pair_by_name(paths(*images), paths(*labels), "or so")


def test_order_is_that_of_sorted_names() -> None:
    images, labels = paths("b", "a"), paths("x", "y", folder="g")
    assert pair_by_order(images, labels) == [(images[1], labels[0]), (images[0], labels[1])]
    with pytest.raises(UserError, match="g: 2 images, but 3 labels"):
        pair_by_order(images, [*labels, Path("g/z")])


def test_files_of_a_folder(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.tif", ".hidden.png", "notes.txt", "m.nii.gz", "c.czi"):
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    assert [file.name for file in list_images(tmp_path)] == ["a.tif", "b.PNG"]
    assert [file.name for file in list_masks(tmp_path)] == ["a.tif", "b.PNG", "m.nii.gz"]


def test_an_accent_in_a_letter_is_the_accent_beside_it():
    """APFS and most writers of JSON keep names as typed, HFS+ and some programs part accents from their letters."""
    image, label = Path(unicodedata.normalize("NFD", "Bär 7.png")), Path(unicodedata.normalize("NFC", "Bär 7_mask.png"))
    assert image.stem != label.stem[:-5]
    assert pair_by_name([image], [label]) == [(image, label)]
    zeros = Path(unicodedata.normalize("NFC", "Bär 07.png"))
    assert pair_by_name([image], [zeros]) == [(image, zeros)]
    with pytest.raises(UserError, match="the same name"):
        pair_by_name([image, label.with_name("Bär 7.png")], [label])
