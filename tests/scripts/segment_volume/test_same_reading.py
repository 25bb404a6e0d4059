"""A volume's slices have the gray values that `read_image` and the gray rule give for the file's pages."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from custom.data import GrayRule, count_pages, read_image
from custom.errors import UserError
from scripts.segment_volume.gray import gray_slice
from scripts.segment_volume.source import Volume

GRAY = ("uint8", "uint16", "int16", "uint32", "float32")


def pixels(generator: np.random.Generator, dtype: str, *shape: int) -> np.ndarray:
    if np.dtype(dtype).kind == "f":
        return generator.normal(size=shape).astype(dtype)
    if dtype == "bool":
        return generator.random(shape) < 0.4
    return generator.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, shape, dtype, endpoint=True)


@st.composite
def tiffs(draw: st.DrawFn) -> tuple[np.ndarray, dict]:
    """An array and how tifffile is to write it."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    pages, size = draw(st.integers(1, 3)), (draw(st.integers(17, 40)), draw(st.integers(17, 40)))
    leading = () if pages == 1 and draw(st.booleans()) else (pages,)
    kind = draw(st.sampled_from(["gray", "gray", "white", "rgb", "rgba", "planar", "palette", "imagej", "ome"]))
    options: dict = {"photometric": "minisblack", "compression": draw(st.sampled_from([None, "zlib", "lzw"]))}
    if draw(st.booleans()):
        options |= draw(st.sampled_from([{"tile": (16, 32)}, {"rowsperstrip": 5}]))
    shape: tuple[int, ...] = (*leading, *size)
    dtype = draw(st.sampled_from(GRAY))
    if kind == "white":
        dtype, options["photometric"] = draw(st.sampled_from(["bool", "uint8", "uint16", "float32"])), "miniswhite"
    elif kind in ("rgb", "rgba"):
        dtype, options["photometric"] = draw(st.sampled_from(["uint8", "uint16", "float32"])), "rgb"
        shape = (*shape, len(kind))
    elif kind == "planar":
        dtype, shape = "uint8", (*leading, 3, *size)
        options |= {"photometric": "rgb", "planarconfig": "separate"}
    elif kind == "palette":
        dtype = "uint8"
        options |= {"photometric": "palette", "colormap": generator.integers(0, 65536, (3, 256), dtype=np.uint16)}
    elif kind in ("imagej", "ome"):
        dtype = draw(st.sampled_from(["uint8", "uint16", "float32"]))
        options = {kind: True, "metadata": {"axes": draw(st.sampled_from(["ZYX", "TYX"]))[-len(shape) :]}}
    if dtype == "bool":
        options = {"photometric": "miniswhite"}
    return pixels(generator, dtype, *shape), options


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tiffs(), st.sampled_from([GrayRule(), GrayRule((2, 95)), GrayRule(contrast=0.2)]))
def test_every_slice_is_the_page(tmp_path: Path, written: tuple[np.ndarray, dict], rule: GrayRule) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, written[0], **written[1])
    volume = Volume(path)
    assert volume.shape[0] == count_pages(path)
    height, width = volume.shape[1:]
    for page in range(volume.shape[0]):
        expected = rule(read_image(path, page))
        slices = gray_slice(volume, page, rule)
        np.testing.assert_array_equal(slices[0, :, slice(0, height), slice(0, width)][0], expected)
        np.testing.assert_array_equal(slices[0, :, slice(3, 15), slice(2, 16)][0], expected[3:15, 2:16])


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((3, 21, 30), {"photometric": "miniswhite"}),
        ((3, 21, 30), {"photometric": "palette", "colormap": np.arange(768, dtype=np.uint16).reshape(3, 256) ** 2}),
        ((21, 30), {"photometric": "minisblack"}),
        ((21, 30, 3), {"photometric": "rgb"}),
        ((2, 21, 30, 3), {"photometric": "rgb"}),
    ],
    ids=["WhiteIsZero", "palette", "single page", "RGB", "RGB pages"],
)
def test_what_was_once_read_differently_or_refused(tmp_path: Path, shape: tuple[int, ...], options: dict) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8), **options)
    volume = Volume(path)
    assert volume.shape == (count_pages(path), 21, 30)
    for page in range(volume.shape[0]):
        window = gray_slice(volume, page, GrayRule())[0, :, slice(0, 21), slice(0, 30)]
        np.testing.assert_array_equal(window[0], GrayRule()(read_image(path, page)))


@pytest.mark.parametrize("axes", ["CYX", "ZCYX", "CZYX"])
@pytest.mark.parametrize("options", [{"imagej": True}, {"ome": True}])
def test_channels_are_chosen_alike(tmp_path: Path, axes: str, options: dict) -> None:
    if options.get("imagej") and axes == "CZYX":
        pytest.skip("ImageJ stores channels inside slices")
    path = tmp_path / "a.tif"
    array = np.random.default_rng(0).integers(0, 255, (2, 3, 21, 30)[-len(axes) :], dtype=np.uint8)
    tifffile.imwrite(path, array, metadata={"axes": axes}, **options)
    for read in (Volume, lambda file: read_image(file, 0)):
        with pytest.raises(UserError, match=r"channel 0 to [12]"):
            read(path)
    for channel in range(array.shape[axes.index("C")]):
        volume = Volume(path, channel)
        assert volume.shape[0] == count_pages(path)
        for page in range(volume.shape[0]):
            expected = read_image(path, page, channel)
            np.testing.assert_array_equal(volume.read(page, slice(0, 21), slice(0, 30)), expected)


def test_a_palette_of_pillow_and_a_fax(tmp_path: Path) -> None:
    image = Image.fromarray(np.random.default_rng(1).integers(0, 4, (21, 30), dtype=np.uint8))
    image.putpalette([255, 255, 255, 200, 0, 0, 0, 90, 0, 0, 0, 0])
    image.save(tmp_path / "palette.tif")
    image.convert("1").save(tmp_path / "fax.tif", compression="group4")
    for name in ("palette.tif", "fax.tif"):
        expected = GrayRule()(read_image(tmp_path / name))
        window = gray_slice(Volume(tmp_path / name), 0, GrayRule())[0, :, slice(0, 21), slice(0, 30)]
        np.testing.assert_array_equal(window[0], expected)
