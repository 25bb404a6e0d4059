"""Which images and labels a folder has: one folder or two, with subfolders."""

from __future__ import annotations

from pathlib import Path

import pytest

from custom.data import write_image
from custom.errors import UserError
from scripts.prepare_data.sources import Sources, find_sources

from .common import binary_mask, names, prepare, random_pixels, refusal


def put(root: Path, *files: str) -> Path:
    for file in files:
        write_image(root / file, random_pixels())
    return root


def found(sources: Sources, root: Path) -> list[tuple[str, str, str]]:
    return [
        (pair.prefix, pair.image.relative_to(root).as_posix(), pair.label.relative_to(root).as_posix())
        for pair in sources.pairs
    ]


@pytest.mark.parametrize("masks", ["masks", "labels"])
def test_two_folders_with_subfolders(tmp_path: Path, masks: str) -> None:
    put(tmp_path, "images/a.png", "images/day1/a.png", f"{masks}/a_mask.png", f"{masks}/day1/a.png")
    assert found(find_sources(tmp_path, None, None), tmp_path) == [
        ("", "images/a.png", f"{masks}/a_mask.png"),
        ("day1_", "images/day1/a.png", f"{masks}/day1/a.png"),
    ]
    same = find_sources(None, tmp_path / "images", tmp_path / masks)
    assert same.pairs == find_sources(tmp_path, None, None).pairs
    assert same.name == tmp_path.name


def test_folders_in_capitals(tmp_path: Path) -> None:
    sources = find_sources(put(tmp_path, "Images/a.png", "MASKS/a.png"), None, None)
    assert [(pair.image.parent.name, pair.label.parent.name) for pair in sources.pairs] == [("Images", "MASKS")]


def test_folders_of_other_names_have_options(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="say --images DIR --masks DIR"):
        find_sources(put(tmp_path, "image/a.png", "mask/a.png"), None, None)


def test_folders_of_a_split_are_named(tmp_path: Path) -> None:
    names = [f"{split}/{part}/{split[0]}.png" for split in ("Train", "val", "day1") for part in ("images", "masks")]
    assert find_sources(put(tmp_path, *names), None, None).splits == ["Train", "val"]


def test_side_by_side_with_subfolders(tmp_path: Path) -> None:
    put(tmp_path, "a.png", "a_seg.png", "x/y/a.png", "x/y/a_cp_masks.png", "z/images/b.png", "z/masks/b.png")
    assert found(find_sources(tmp_path, None, None), tmp_path) == [
        ("", "a.png", "a_seg.png"),
        ("x_y_", "x/y/a.png", "x/y/a_cp_masks.png"),
        ("z_", "z/images/b.png", "z/masks/b.png"),
    ]


def test_masks_in_a_folder_beside_their_images(tmp_path: Path) -> None:
    put(tmp_path, "a.png", "b.png", "masks/a.png", "masks/b.png")
    assert [label for _, _, label in found(find_sources(tmp_path, None, None), tmp_path)] == [
        "masks/a.png",
        "masks/b.png",
    ]


def test_hidden_folders_and_earlier_data_sets_are_left_out(tmp_path: Path) -> None:
    put(tmp_path, "a.png", "a_gt.png", ".cache/b.png", "out/data/c.png")
    (tmp_path / "out/dataset.json").touch()
    sources = find_sources(tmp_path, None, None)
    assert len(sources.pairs) == 1
    assert sources.skipped == []


def test_files_that_are_neither_are_named(tmp_path: Path) -> None:
    put(tmp_path, "images/a.png", "masks/a.png")
    for name in ("images/plate.czi", "masks/notes.json", "masks/.DS_Store"):
        (tmp_path / name).touch()
    assert [file.name for file in find_sources(tmp_path, None, None).skipped] == ["plate.czi", "notes.json"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (("images/a.png",), "has images/, but no masks/ or labels/"),
        (("images/a.png", "images/x/b.png", "masks/a.png"), "has no folder of labels; name one .*masks/x"),
        (("masks/a.png", "images/x/a.png"), "images: no images"),
        (("a_mask.png",), "no images"),
        (("a.png", "x/a.png", "x/a_mask.png"), "a.png: has no label of its name"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, files: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        find_sources(put(tmp_path, *files), None, None)


@pytest.mark.parametrize("file", ["a.json", "masks/a.json"])
def test_annotations_of_another_kind_are_named(tmp_path: Path, file: str) -> None:
    put(tmp_path, "a.png", "images/a.png" if "/" in file else "b.png", "masks/c.png" if "/" in file else "b_mask.png")
    (tmp_path / file).write_text('{"a.png-1": {"filename": "a.png", "regions": []}}')  # VIA's
    with pytest.raises(
        UserError, match=r"a\.png: has no label of its name.*a\.json is neither GeoJSON, COCO nor Label"
    ):
        find_sources(tmp_path, None, None)


def test_a_label_of_another_format_is_named(tmp_path: Path) -> None:
    put(tmp_path, "images/a.png", "images/b.png", "masks/a.png")
    (tmp_path / "masks/b_mask.gif").touch()
    with pytest.raises(UserError, match=r"b\.png: has no label of its name.*; b_mask\.gif cannot be read as a label"):
        find_sources(tmp_path, None, None)


def test_microscope_files_beside_masks(tmp_path: Path) -> None:
    put(tmp_path, "masks/a.png")
    (tmp_path / "images").mkdir()
    (tmp_path / "images/a.nd2").touch()
    with pytest.raises(UserError, match="skipped: a.nd2; export microscope formats as TIFF"):
        find_sources(tmp_path, None, None)


def test_files_of_one_name_in_two_subfolders_become_two_images(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        write_image(tmp_path / "own" / folder / "a.png", random_pixels())
        write_image(tmp_path / "own" / folder / "a_mask.png", binary_mask())
    dataset = prepare("folder", "--source", tmp_path / "own", "--output", tmp_path / "out")
    assert sorted(names(dataset.training + dataset.validation)) == ["one_a", "two_a"]


def test_subfolders_whose_names_meet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for file in ("x/y_a", "x_y/a"):
        write_image(tmp_path / f"own/{file}.png", random_pixels())
        write_image(tmp_path / f"own/{file}_mask.png", binary_mask())
    line = refusal(capsys, "folder", "--source", tmp_path / "own", "--output", tmp_path / "out")
    assert "both would become x_y_a" in line


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    put(tmp_path, "one/x/a.png", "one/x/a_mask.png", "two/b.png", "two/b_mask.png")
    for link, to in (("one/x/up", "."), ("one/y", "two"), ("one/x/self", "one/x"), ("two/back", "one")):
        (tmp_path / link).symlink_to(tmp_path / to, target_is_directory=True)
    assert found(find_sources(tmp_path / "one", None, None), tmp_path) == [
        ("x_", "one/x/a.png", "one/x/a_mask.png"),
        ("y_", "one/y/b.png", "one/y/b_mask.png"),
    ]


def test_folders_that_all_link_to_each_other_are_searched_once(tmp_path: Path) -> None:
    """There are 14! paths without a circle through 14 of them."""
    folders = [f"{number:02d}" for number in range(14)]
    put(tmp_path, *(f"own/{folder}/{name}.png" for folder in folders for name in ("a", "a_mask")))
    for folder in folders:
        for other in folders:
            if other != folder:
                (tmp_path / "own" / folder / f"to_{other}").symlink_to(f"../{other}", target_is_directory=True)
    images = [source.image.resolve() for source in find_sources(tmp_path / "own", None, None).pairs]
    assert sorted(images) == [tmp_path.resolve() / "own" / folder / "a.png" for folder in folders]
