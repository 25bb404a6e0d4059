"""A file, a folder or a glob; unreadable files are listed and do not stop the others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from custom.data import LoadMicroscopyd, find_images, to_gray
from custom.errors import UserError


@pytest.fixture
def folder(tmp_path):
    pixels = np.random.RandomState(0).randint(0, 256, (3, 5, 7)).astype(np.uint8)
    Image.fromarray(pixels[0]).save(tmp_path / "b.png")
    Image.fromarray(pixels[1]).save(tmp_path / "a.bmp")
    tifffile.imwrite(tmp_path / "stack.tif", pixels, photometric="minisblack")
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / ".hidden.png").write_text("not an image")
    (tmp_path / "deeper").mkdir()
    Image.fromarray(pixels[2]).save(tmp_path / "deeper" / "c.png")
    return tmp_path


def names(found) -> list[tuple[str, int]]:
    return [(item["image"].rsplit("/", 1)[1], item["page"]) for item in found.items]


def test_a_folder_gives_its_images_and_every_page(folder):
    found = find_images(folder)
    assert names(found) == [("a.bmp", 0), ("b.png", 0), ("stack.tif", 0), ("stack.tif", 1), ("stack.tif", 2)]
    found.report()


PATTERNS = {"b.png": ["b.png"], "*/*.png": ["c.png"], "**/[bc].png": ["b.png", "c.png"]}


@pytest.mark.parametrize(("pattern", "expected"), PATTERNS.items())
def test_a_file_and_globs(folder, pattern, expected):
    assert [name for name, _ in names(find_images(folder / pattern))] == expected


def test_labels_beside_their_images_are_left_out(folder, caplog):
    for name in ("b_mask.png", "a_cp_masks.png", "other_mask.png"):
        Image.fromarray(np.zeros((5, 7), np.uint8)).save(folder / name)
    found = find_images(folder / "*.*")
    assert [name for name, _ in names(found)][:3] == ["a.bmp", "b.png", "other_mask.png"]
    with caplog.at_level("INFO"), pytest.raises(UserError, match="notes.txt"):
        found.report("out")
    assert caplog.messages[0].startswith("2 files left out, which are labels of others by name: a_cp_masks.png")
    assert names(find_images(folder / "b_mask.png")) == [("b_mask.png", 0)]


def test_broken_files_are_reported_after_the_others(folder):
    (folder / "broken.png").write_bytes((folder / "b.png").read_bytes()[:40])
    tifffile.imwrite(folder / "nan.tif", np.full((5, 7), np.nan, np.float32))
    found = find_images(folder)
    assert len(found.items) == 5
    with pytest.raises(UserError, match=r"2 of the inputs could not be segmented(.|\n)*broken.png(.|\n)*nan.tif"):
        found.report()


@pytest.mark.parametrize("pattern", ["", "*.png"])
def test_a_link_to_nothing_is_reported(folder, pattern):
    (folder / "lost.png").symlink_to(folder / "unmounted" / "c.png")
    found = find_images(folder / pattern)
    assert ("b.png", 0) in names(found)
    (line,) = found.failed
    assert line == f"{folder / 'lost.png'}: no such file; it is a link to {folder / 'unmounted' / 'c.png'}"


def test_nothing_there_and_nothing_readable(folder, tmp_path):
    with pytest.raises(UserError, match="no image there"):
        find_images(tmp_path / "*.jpg")
    with pytest.raises(UserError, match="none of the 1 inputs can be read"):
        find_images(folder / "notes.txt")


@pytest.mark.parametrize("name", ["a.czi", "b.ND2", "c.lif"])
def test_microscope_formats_come_with_advice(tmp_path, name):
    (tmp_path / name).write_bytes(bytes(9))
    for source in (tmp_path, tmp_path / name, tmp_path / "*.*"):
        with pytest.raises(UserError, match=rf"{name}: (.*\()?export microscope formats as TIFF"):
            find_images(source)


def test_outputs_of_the_same_name_are_refused(folder):
    Image.fromarray(np.zeros((5, 7), np.uint8)).save(folder / "a.png")
    with pytest.raises(UserError, match="a.bmp and .*a.png would have outputs of the same name"):
        find_images(folder)


def test_a_channel_of_every_file(tmp_path):
    pixels = np.random.RandomState(0).randint(0, 256, (2, 3, 15, 17)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", pixels, imagej=True, metadata={"axes": "ZCYX"})
    with pytest.raises(UserError, match=r"a\.tif: has 3 channels that are not colours; choose one, channel 0 to 2"):
        find_images(tmp_path)
    for page, item in enumerate(find_images(tmp_path, channel=1).items):
        loaded = LoadMicroscopyd("image")(item)
        np.testing.assert_array_equal(loaded["image"][0].numpy(), to_gray(pixels[page, 1]))
        assert set(loaded) == {"image"}


def test_the_place_of_the_results_is_logged(folder, caplog):
    found = find_images(folder)
    with caplog.at_level("INFO"):
        found.report("runs/segmented")
    assert caplog.messages == [f"{len(found.items)} images segmented: {Path('runs/segmented')}"]
