"""Files that are not what their name or their header says."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from custom.data import read_image, read_mask
from custom.data.inputs import find_images
from custom.errors import UserError

MASK = np.zeros((17, 30), np.uint8)
MASK[3:9, 5:20] = 255
ROWS = 10**6


def bmp(width: int, height: int) -> bytes:
    """A header without pixels."""
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + head


def png(path: Path, width: int, height: int) -> None:
    """A small file whose header has another size."""
    Image.fromarray(MASK).save(path)
    content = bytearray(path.read_bytes())
    content[16:24] = struct.pack(">II", width, height)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    path.write_bytes(content)


def test_a_small_file_that_claims_a_huge_image_reserves_no_memory(tmp_path: Path) -> None:
    (tmp_path / "a.bmp").write_bytes(bmp(ROWS, ROWS))
    with pytest.raises(UserError, match=r"a\.bmp: truncated or corrupt, it is too short for 1000000 x 1000000 pixels"):
        read_image(tmp_path / "a.bmp")
    png(tmp_path / "a.png", ROWS, ROWS)
    with pytest.raises(UserError, match=r"a\.png: truncated or corrupt, it is too short"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA"])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp"])
def test_a_blank_image_that_is_small_for_its_pixels_is_read(tmp_path: Path, mode: str, suffix: str) -> None:
    if suffix == ".jpg" and mode in ("1", "P", "RGBA"):
        mode = "L"
    Image.new(mode, (2100, 1900)).save(tmp_path / f"a{suffix}", optimize=True, progressive=True)
    assert read_image(tmp_path / f"a{suffix}").shape[:2] == (1900, 2100)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "JPEG2000", "EPS"])
def test_other_formats_under_the_name_of_a_png(tmp_path: Path, kind: str) -> None:
    Image.fromarray(MASK).save(tmp_path / "a.png", format=kind)
    for read in (read_image, read_mask):
        with pytest.raises(UserError, match=r"a\.png: truncated, corrupt or not a PNG, JPEG or BMP"):
            read(tmp_path / "a.png")


def test_a_stack_under_the_name_of_a_png_loses_no_pages(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.stack([MASK, MASK]), photometric="minisblack")
    (tmp_path / "a.tif").rename(tmp_path / "a.png")
    with pytest.raises(UserError, match=r"a\.png: is a TIFF under another suffix; rename it"):
        read_image(tmp_path / "a.png")


def test_an_animation_loses_no_images(tmp_path: Path) -> None:
    Image.fromarray(MASK).save(tmp_path / "a.png", save_all=True, append_images=[Image.fromarray(255 - MASK)])
    with pytest.raises(UserError, match=r"a\.png: holds 2 images"):
        read_image(tmp_path / "a.png")


def test_the_jpeg_of_a_phone_is_read_and_is_no_mask(tmp_path: Path) -> None:
    first, second = (Image.fromarray(pixels).convert("RGB") for pixels in (MASK, 255 - MASK))
    first.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[second], quality=95)
    np.testing.assert_allclose(read_image(tmp_path / "a.jpg")[..., 0], MASK, atol=40)
    with pytest.raises(UserError, match=r"a\.jpg: is a JPEG"):
        read_mask(tmp_path / "a.jpg")


@pytest.mark.skipif(os.name == "nt", reason="Windows stores names as UTF-16")
def test_a_name_that_is_not_utf8_is_skipped_and_named(tmp_path: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png"))
    for path in (odd, tmp_path / "plain.png"):
        Image.fromarray(MASK).save(path)
    found = find_images(tmp_path)
    assert [Path(item["image"]).name for item in found.items] == ["plain.png"]
    assert len(found.failed) == 1
    assert "its name is not UTF-8" in found.failed[0]


@pytest.mark.parametrize("lost", [259, 317])
def test_a_tiff_whose_tags_do_not_say_how_its_pixels_are_stored(tmp_path: Path, lost: int) -> None:
    path = tmp_path / "a.tif"
    pixels = np.random.default_rng(0).integers(0, 256, (17, 30), dtype=np.uint8)
    tifffile.imwrite(path, pixels, compression="zlib", predictor=lost == 317, metadata=None)
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        tag = file.pages[0].tags[259]
    if lost == 259:  # under another number
        content[tag.offset : tag.offset + 2] = struct.pack("<H", 260)
    else:
        content[tag.valueoffset : tag.valueoffset + 2] = struct.pack("<H", 1)
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"a\.tif: corrupt, its tags do not say how its pixels are stored"):
        read_image(path)
