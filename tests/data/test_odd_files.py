"""Damaged and unusual files: read as viewers display them, or refused in one line that names the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from custom.data import count_pages, find_images, read_image, read_mask
from custom.data.image_io import check_mask
from custom.errors import UserError

SHAPE = (37, 53)
GENERATOR = np.random.default_rng(0)


def gray(*shape: int) -> np.ndarray:
    return GENERATOR.integers(3, 250, shape or SHAPE, dtype=np.uint8)


def binary() -> np.ndarray:
    return GENERATOR.integers(0, 2, SHAPE, dtype=np.uint8)


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("how", ["count", "bytes"])
def test_tiff_without_half_of_its_strips(tmp_path: Path, compression: str | None, how: str) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, gray(), rowsperstrip=4, compression=compression, metadata=None)
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        tags = [file.pages[0].tags[code] for code in (273, 279)]
    if how == "count":
        for tag in tags:
            content[tag.offset + 4 : tag.offset + 8] = (5).to_bytes(4, "little")
    else:
        size = {3: 2, 4: 4}[int(tags[1].dtype)]
        content[tags[1].valueoffset + 5 * size : tags[1].valueoffset + 10 * size] = bytes(5 * size)
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"a\.tif: truncated, 5 of 10 strips or tiles are missing"):
        read_image(path)


def zeros_in_the_middle(data: bytearray) -> None:
    data[len(data) // 2 : len(data) // 2 + 60] = bytes(60)


def middle_cut_out(data: bytearray) -> None:
    del data[len(data) // 2 : len(data) - 2]


def end_cut_off(data: bytearray) -> None:
    del data[-2:]


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("damage", [zeros_in_the_middle, middle_cut_out, end_cut_off])
def test_corrupt_jpeg(tmp_path: Path, damage, mode: str) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(gray(150, 200)).convert(mode).save(path)
    read_image(path)
    content = bytearray(path.read_bytes())
    damage(content)
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"a\.jpg: truncated, corrupt"):
        read_image(path)


@pytest.mark.parametrize("options", [{"progressive": True}, {"restart_marker_rows": 1}, {"quality": 30}])
def test_usual_kinds_of_jpeg(tmp_path: Path, options: dict) -> None:
    for mode in ("L", "RGB", "CMYK"):
        Image.fromarray(gray()).convert(mode).save(tmp_path / "a.jpg", **options)
        assert read_image(tmp_path / "a.jpg").shape[:2] == SHAPE


def test_jpeg_masks_are_refused_also_under_other_names(tmp_path: Path) -> None:
    Image.fromarray(binary() * np.uint8(255)).save(tmp_path / "a.jpg")
    (tmp_path / "b.png").write_bytes((tmp_path / "a.jpg").read_bytes())
    tifffile.imwrite(tmp_path / "c.tif", gray(48, 64), compression="jpeg")
    for name in ("a.jpg", "b.png", "c.tif"):
        with pytest.raises(UserError, match=rf"{name}: is .*JPEG, which changes mask values"):
            read_mask(tmp_path / name)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied_to_image_and_mask(tmp_path: Path, orientation: int) -> None:
    from PIL import ImageOps

    mask = binary() * np.uint8(255)
    image = Image.fromarray(mask)
    exif = image.getexif()
    exif[274] = orientation
    for name in ("a.jpg", "a.png"):
        image.save(tmp_path / name, exif=exif)
        with Image.open(tmp_path / name) as shown:
            np.testing.assert_array_equal(read_image(tmp_path / name), np.asarray(ImageOps.exif_transpose(shown)))
    np.testing.assert_array_equal(read_mask(tmp_path / "a.png"), read_image(tmp_path / "a.png"))
    tifffile.imwrite(tmp_path / "a.tif", mask, extratags=[(274, "H", 1, orientation, True)])
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), read_image(tmp_path / "a.png"))


def test_imagej_mask_with_inverting_table_keeps_its_stored_values(tmp_path: Path) -> None:
    mask = binary() * np.uint8(255)
    tifffile.imwrite(tmp_path / "a.tif", mask, photometric="miniswhite")
    np.testing.assert_array_equal(read_mask(tmp_path / "a.tif"), mask)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), 255 - mask)


def test_bilevel_fax_is_read_as_shown(tmp_path: Path) -> None:
    mask = binary().astype(bool)
    tifffile.imwrite(tmp_path / "a.tif", ~mask, photometric="miniswhite", software="fax")
    np.testing.assert_array_equal(read_mask(tmp_path / "a.tif"), mask)


def test_booleans_of_tifffile_are_read_as_they_were(tmp_path: Path) -> None:
    mask = binary().astype(bool)
    tifffile.imwrite(tmp_path / "a.tif", mask)
    np.testing.assert_array_equal(read_mask(tmp_path / "a.tif"), mask)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
def test_gray_palette_masks_count_by_colour_not_index(tmp_path: Path, suffix: str) -> None:
    indices = binary()
    image = Image.fromarray(indices)
    image.putpalette([255, 255, 255, 0, 0, 0])  # white comes first
    image.save(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(read_mask(tmp_path / f"a{suffix}"), 255 * (1 - indices))


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_coloured_palette_masks_count_by_index(tmp_path: Path, suffix: str) -> None:
    indices = GENERATOR.integers(0, 3, SHAPE, dtype=np.uint8)
    image = Image.fromarray(indices)
    image.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])  # PASCAL VOC
    image.save(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(read_mask(tmp_path / f"a{suffix}"), indices)


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (200, 0, 0)])
def test_mask_drawn_in_alpha(tmp_path: Path, colour: tuple[int, int, int]) -> None:
    mask = binary()
    drawn = np.zeros((*SHAPE, 4), np.uint8)
    drawn[mask == 1] = (*colour, 255)
    Image.fromarray(drawn).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "a.png"), 255 * mask)
    Image.fromarray(drawn[..., [0, 3]]).save(tmp_path / "b.png")  # gray values count, if there are any
    np.testing.assert_array_equal(read_mask(tmp_path / "b.png"), (colour[0] or 255) * mask)


def test_gray_values_under_alpha_count(tmp_path: Path) -> None:
    ids = GENERATOR.integers(0, 7, SHAPE, dtype=np.uint8)
    Image.fromarray(np.dstack([ids, np.full(SHAPE, 255, np.uint8)])).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "a.png"), ids)
    Image.fromarray(np.dstack([ids, (ids > 0) * np.uint8(255)])).save(tmp_path / "b.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "b.png"), ids)


def test_channels_are_no_pages(tmp_path: Path) -> None:
    stack = gray(2, 3, *SHAPE)
    path = tmp_path / "a.tif"
    for axes, options in (("ZCYX", {"imagej": True}), ("TCYX", {"ome": True}), ("CZYX", {"ome": True})):
        tifffile.imwrite(path, stack, metadata={"axes": axes}, photometric="minisblack", **options)
        pages, channels = (2, 3) if axes[1] == "C" else (3, 2)
        assert count_pages(path) == pages
        for page in range(pages):
            for channel in range(channels):
                expected = stack[page, channel] if axes[1] == "C" else stack[channel, page]
                np.testing.assert_array_equal(read_image(path, page, channel), expected)
        with pytest.raises(UserError, match=rf"has {channels} channels .* channel 0 to {channels - 1}"):
            read_image(path, 0)
        with pytest.raises(UserError, match=r"has no channel 3; its channels are"):
            read_image(path, 0, 3)


def test_channels_of_a_stack_over_time(tmp_path: Path) -> None:
    data = gray(2, 3, 4, *SHAPE)
    tifffile.imwrite(tmp_path / "a.ome.tif", data, ome=True, photometric="minisblack", metadata={"axes": "TCZYX"})
    assert count_pages(tmp_path / "a.ome.tif") == 8
    for page, (time, depth) in enumerate(np.ndindex(2, 4)):
        for channel in range(3):
            found = read_image(tmp_path / "a.ome.tif", page, channel)
            np.testing.assert_array_equal(found, data[time, channel, depth])


def test_a_channel_of_pixels_with_several_samples(tmp_path: Path) -> None:
    image = gray(*SHAPE, 5)
    path = tmp_path / "a.tif"
    for photometric in ("minisblack", "rgb"):
        tifffile.imwrite(path, image, photometric=photometric, planarconfig="contig")
        with pytest.raises(UserError, match=r"has 5 channels that are not colours"):
            read_image(path)
        np.testing.assert_array_equal(read_image(path, channel=4), image[..., 4])
    Image.fromarray(image[..., :3]).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png", channel=1), image[..., 1])
    Image.fromarray(image[..., 0]).save(tmp_path / "a.png")
    with pytest.raises(UserError, match="has no channel 1; it has one channel"):
        read_image(tmp_path / "a.png", channel=1)


def test_colour_stacks_have_pages(tmp_path: Path) -> None:
    stack = gray(4, *SHAPE, 3)
    for options in ({"imagej": True}, {"photometric": "rgb"}):
        tifffile.imwrite(tmp_path / "a.tif", stack, **options)
        assert count_pages(tmp_path / "a.tif") == 4
        np.testing.assert_array_equal(read_image(tmp_path / "a.tif", 2), stack[2])


@pytest.mark.parametrize(("channels", "metadata"), [(2, {}), (5, {}), (2, {"axes": "YXC"})])
def test_channels_that_were_saved_as_columns_are_no_pages(tmp_path: Path, channels: int, metadata: dict) -> None:
    image = np.zeros((20, 31, channels), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", image, photometric="minisblack", metadata=metadata)
    with pytest.raises(
        UserError, match=rf"a\.tif: has 20 pages of 31 x {channels} pixels; save an image of {channels}"
    ):
        count_pages(tmp_path / "a.tif")
    assert count_pages(tmp_path / "a.tif", "ZYX") == 20


def test_a_file_of_odd_pages_is_skipped(tmp_path: Path) -> None:
    Image.fromarray(gray()).save(tmp_path / "good.png")
    with tifffile.TiffWriter(tmp_path / "mixed.tif") as writer:
        writer.write(gray())
        writer.write(gray(20, 31))
    tifffile.imwrite(tmp_path / "five.tif", gray(*SHAPE, 5), photometric="rgb", planarconfig="contig")
    found = find_images(tmp_path)
    assert [Path(str(item["image"])).name for item in found.items] == ["good.png"]
    assert sorted(Path(line.partition(":")[0]).name for line in found.failed) == ["five.tif", "mixed.tif"]
    assert any("its pages differ in size or type" in line for line in found.failed)


def test_a_checked_image_is_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from custom.data import decode

    stack = gray(3, *SHAPE)
    tifffile.imwrite(tmp_path / "a.tif", stack, photometric="minisblack")
    calls, opened = [], []
    original, opener = decode.decode, tifffile.TiffFile
    monkeypatch.setattr(decode, "decode", lambda *given, **more: calls.append(given) or original(*given, **more))
    monkeypatch.setattr(tifffile, "TiffFile", lambda *given: opened.append(given) or opener(*given))
    for item in find_images(tmp_path).items:
        np.testing.assert_array_equal(read_image(item["image"], item["page"]), stack[item["page"]])
    assert len(calls) == 3
    assert len(opened) == 1
    read_image(tmp_path / "a.tif", 0)
    assert len(calls) == 4


def test_a_page_of_a_mask_is_checked(tmp_path: Path) -> None:
    stack = gray(3, *SHAPE)
    tifffile.imwrite(tmp_path / "a.tif", stack, photometric="minisblack")
    np.testing.assert_array_equal(check_mask(tmp_path / "a.tif", 1), stack[1])
    with pytest.raises(UserError, match="has no page 3"):
        check_mask(tmp_path / "a.tif", 3)


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    for image in (gray(), gray(20, 31)):
        Image.fromarray(image).save(path)
        found = find_images(tmp_path)
        second = gray()
        Image.fromarray(second).save(path)
        np.testing.assert_array_equal(read_image(found.items[0]["image"], 0), second)


@pytest.mark.parametrize("read", [read_image, read_mask])
def test_a_lost_palette(tmp_path: Path, read) -> None:
    path = tmp_path / "a.tif"
    colours = GENERATOR.integers(0, 2**16, (3, 256), dtype=np.uint16)
    with tifffile.TiffWriter(path) as file:
        for _ in range(2):
            file.write(gray(), photometric="palette", colormap=colours, metadata=None)
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        tag = file.pages[1].tags["ColorMap"].offset
    content[tag : tag + 2] = b"\xff\xff"  # no such tag
    path.write_bytes(content)
    assert read(path, 0).shape[:2] == SHAPE
    with pytest.raises(UserError, match=r"a\.tif: truncated or corrupt, the colours of its palette are missing"):
        read(path, 1)
