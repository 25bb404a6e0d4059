"""Several channels: which of a file are read, in what order, under whose axes, and how each becomes gray values."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from skimage import data

from custom.data import (
    GrayRule,
    GrayRules,
    LoadMicroscopyd,
    count_pages,
    find_images,
    read_dataset,
    read_image,
    to_gray,
    write_channels,
    write_dataset,
    write_image,
)
from custom.data.channels import as_channel, as_picture, check_axes
from custom.data.image_io import count_channels
from custom.errors import UserError

SHAPE = (13, 17)


@pytest.fixture
def planes() -> np.ndarray:
    """Three channels of different brightness."""
    return np.random.default_rng(0).integers(0, 60, (3, *SHAPE)).astype(np.uint8) + np.uint8([[[0]], [[80]], [[160]]])


def _last(planes: np.ndarray) -> np.ndarray:
    return np.moveaxis(planes, 0, -1)


# Every way in which programs store three channels: file name, and what is written.
STORED = {
    "ome.tif": lambda path, p: write_channels(path, p, ["a", "b", "c"]),
    "imagej.tif": lambda path, p: tifffile.imwrite(path, p, imagej=True, metadata={"axes": "CYX"}),
    "samples.tif": lambda path, p: tifffile.imwrite(path, _last(p), photometric="minisblack", planarconfig="contig"),
    "planar.tif": lambda path, p: tifffile.imwrite(path, p, photometric="minisblack", planarconfig="separate"),
    "rgb.tif": lambda path, p: tifffile.imwrite(path, _last(p), photometric="rgb"),
    "rgb.png": lambda path, p: Image.fromarray(_last(p)).save(path),
    "rgba.png": lambda path, p: Image.fromarray(np.dstack([_last(p), 255 - p[0]])).save(path),
    "rgb.bmp": lambda path, p: Image.fromarray(_last(p)).save(path),
}


@pytest.mark.parametrize("name", STORED)
def test_channels_are_read_in_the_order_that_is_asked_for(tmp_path: Path, planes: np.ndarray, name: str) -> None:
    path = tmp_path / name
    STORED[name](path, planes)
    assert (count_channels(path), count_pages(path)) == (3, 1)
    np.testing.assert_array_equal(read_image(path, channel=(0, 1, 2)), _last(planes))
    np.testing.assert_array_equal(read_image(path, channel=(2, 0)), _last(planes[[2, 0]]))
    np.testing.assert_array_equal(read_image(path, channel=1), planes[1])
    with pytest.raises(UserError, match=f"{name}: has no channel 4; its channels are 0 to [23]$"):
        read_image(path, channel=(0, 4))


def test_two_samples_are_two_channels_unless_the_second_is_alpha(tmp_path: Path, planes: np.ndarray) -> None:
    for extra, count in (("unspecified", 2), ("unassalpha", 1)):
        path = tmp_path / f"{extra}.tif"
        pixels = _last(planes[:2])
        tifffile.imwrite(path, pixels, photometric="minisblack", planarconfig="contig", extrasamples=[extra])
        assert count_channels(path) == count


def test_a_palette_has_three_colours(tmp_path: Path, planes: np.ndarray) -> None:
    colours = np.zeros((3, 256), np.uint16)
    colours[:, :60] = np.arange(60) * np.uint16([[900], [500], [100]])
    tifffile.imwrite(tmp_path / "a.tif", planes[0], photometric="palette", colormap=colours)
    assert count_channels(tmp_path / "a.tif") == 3
    read = read_image(tmp_path / "a.tif", channel=(2, 0))
    np.testing.assert_array_equal(read, _last(colours[[2, 0]][:, planes[0]]))


def test_axes_name_the_pages_of_a_file_that_does_not(tmp_path: Path, planes: np.ndarray) -> None:
    path = tmp_path / "pages.tif"
    tifffile.imwrite(path, planes, photometric="minisblack", metadata=None)
    assert (count_channels(path), count_pages(path)) == (1, 3)
    assert (count_channels(path, "CYX"), count_pages(path, "CYX")) == (3, 1)
    np.testing.assert_array_equal(read_image(path, channel=(1, 0), axes="CYX"), _last(planes[[1, 0]]))
    np.testing.assert_array_equal(read_image(path, page=2, axes="ZYX"), planes[2])
    for axes in ("ZCYX", "YX", "YXC"):
        with pytest.raises(UserError, match=rf"pages\.tif: has .* axes {axes} .*; give"):
            read_image(path, axes=axes)


@pytest.mark.parametrize(("stored", "said"), [("TZYX", "ZCYX"), ("CZYX", "CZYX"), ("ZCYX", "TCYX")])
def test_axes_of_two_kinds_of_pages(tmp_path: Path, stored: str, said: str) -> None:
    stack = np.random.default_rng(1).integers(0, 255, (2, 3, *SHAPE), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", stack, ome=True, photometric="minisblack", metadata={"axes": stored})
    by_page = stack.swapaxes(0, 1) if said[0] == "C" else stack
    assert count_pages(tmp_path / "a.tif", said) == len(by_page)
    for page, expected in enumerate(by_page):
        channel = tuple(range(len(expected)))
        read = read_image(tmp_path / "a.tif", page, channel, said)
        np.testing.assert_array_equal(read, _last(expected))


def test_one_letter_names_pages_of_two_kinds(tmp_path: Path) -> None:
    """Of a stack over time whose file says so, each page is a slice."""
    stack = np.random.default_rng(1).integers(0, 255, (2, 3, *SHAPE), dtype=np.uint8)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, stack, ome=True, photometric="minisblack", metadata={"axes": "TZYX"})
    assert count_pages(path, "ZYX") == 6
    np.testing.assert_array_equal(read_image(path, page=4, axes="ZYX"), stack[1, 1])


@pytest.mark.parametrize("axes", ["XY", "CXY", "CCYX", "QYX", "YXZ", "", 3])
def test_axes_that_are_none(axes: object) -> None:
    with pytest.raises(UserError, match="give T, Z, C"):
        check_axes(axes)  # type: ignore[arg-type]


def test_a_setting_of_channels() -> None:
    assert (as_channel(None), as_channel(2), as_channel([2]), as_channel([2, 0])) == (None, 2, 2, (2, 0))
    for channel in ([], [0, 0], ["a"], [0.5]):
        with pytest.raises(UserError, match="give a number from 0, or several"):
            as_channel(channel)


def test_each_channel_has_a_gray_rule_of_its_own(planes: np.ndarray) -> None:
    rules = GrayRules((GrayRule(), GrayRule((5, 90)), GrayRule(contrast=0.9)))
    gray = rules.planes(_last(planes))
    assert (gray.dtype, gray.shape, rules.channels) == (np.float32, (3, *SHAPE), 3)
    for one, rule, plane in zip(gray, rules.rules, planes, strict=True):
        np.testing.assert_array_equal(one, rule(plane))
    assert not np.array_equal(gray[1], to_gray(planes[1]))
    for other in (planes, planes[0], _last(planes)[..., :2]):
        with pytest.raises(UserError, match=r"x: has shape .*; \(H, W, 3\) is needed, channels last"):
            rules.planes(other, "x")


def test_a_blank_channel_is_not_stretched(planes: np.ndarray) -> None:
    planes[1] = 100 + planes[1] % 2
    rules = GrayRules((GrayRule(contrast=0.5), GrayRule(contrast=0.5), GrayRule()))
    with pytest.warns(UserWarning, match="x, channel 1: has .* not stretched"):
        gray = rules.planes(_last(planes), "x")
    assert np.ptp(gray[1]) < 0.1 < np.ptp(gray[0])


def test_pictures_of_channels(planes: np.ndarray) -> None:
    gray = GrayRules((GrayRule(),) * 3).planes(_last(planes))
    np.testing.assert_array_equal(as_picture(gray[:1]), gray[0])
    np.testing.assert_allclose(as_picture(gray), _last(gray))
    green_magenta = as_picture(gray[:2])
    np.testing.assert_allclose(green_magenta, np.dstack([gray[1], gray[0], gray[1]]))
    assert as_picture(np.concatenate([gray, gray])).shape == SHAPE


def test_the_colours_of_a_real_section_are_kept(tmp_path: Path) -> None:
    """A histological section that scikit-image ships: its stains differ in colour more than in brightness."""
    pixels = data.immunohistochemistry()[:200, :260]
    Image.fromarray(pixels).save(tmp_path / "ihc.png")
    (item,) = find_images(tmp_path, channels=["red", "green", "blue"]).items
    loaded = LoadMicroscopyd("image")(item)["image"].numpy()
    np.testing.assert_array_equal(loaded, np.stack([to_gray(pixels[..., colour]) for colour in range(3)]))
    assert np.corrcoef(loaded[0].ravel(), loaded[2].ravel())[0, 1] < 0.9


@pytest.fixture
def folder(tmp_path: Path, planes: np.ndarray) -> Path:
    """A data set that uses the third and the first of three channels."""
    generator = np.random.default_rng(2)
    for name in "ab":
        write_channels(tmp_path / f"{name}.tif", generator.permuted(planes, axis=2), ["x", "y", "z"])
        write_image(tmp_path / f"{name}.png", generator.integers(0, 2, SHAPE, dtype=np.uint8))
    items = {"training": [{"image": "a.tif", "label": "a.png"}], "validation": [{"image": "b.tif", "label": "b.png"}]}
    channels = {"2": "DNA", "0": "actin"}
    write_dataset(tmp_path, {"name": "x"}, "classes", {"0": "a", "1": "b"}, items, channels=channels)
    return tmp_path


def test_a_data_set_names_its_channels(folder: Path) -> None:
    dataset = read_dataset(folder)
    assert dataset.channel_names == ("DNA", "actin")
    pixels = tifffile.imread(folder / "b.tif")[[2, 0]]
    loaded = LoadMicroscopyd()(dataset.validation[0])
    assert set(loaded) == {"image", "label"}
    assert tuple(loaded["image"].shape) == (2, *SHAPE)
    assert tuple(loaded["image"].meta["spatial_shape"]) == SHAPE
    np.testing.assert_array_equal(loaded["image"].numpy(), np.stack([to_gray(plane) for plane in pixels]))


@pytest.mark.parametrize(
    "channels", ["DNA", ["DNA"], {}, {"DNA": "0"}, {"0": "DNA", "1": "DNA"}, {"0": "a", "00": "b"}, {"-1": "a"}]
)
def test_channels_that_are_none(folder: Path, channels: object) -> None:
    text = (folder / "dataset.json").read_text()
    (folder / "dataset.json").write_text(json.dumps({**json.loads(text), "channels": channels}))
    with pytest.raises(UserError, match=r"dataset\.json: channels is .*; give number \(from 0\) and name"):
        read_dataset(folder)


def test_a_data_set_whose_files_lack_a_channel(folder: Path, planes: np.ndarray) -> None:
    write_channels(folder / "a.tif", planes[:2], ["x", "y"])
    with pytest.raises(UserError, match=r"a\.tif: has no channel 2; its channels are 0 to 1"):
        read_dataset(folder)


def test_inputs_have_the_channels_of_the_model(tmp_path: Path, planes: np.ndarray) -> None:
    wanted = ["DNA", "actin"]
    STORED["ome.tif"](tmp_path / "three.tif", planes)
    write_channels(tmp_path / "two.tif", planes[:2], wanted)
    found = find_images(tmp_path, channels=wanted)
    assert [item["channel"] for item in found.items] == [(0, 1)]
    assert "three.tif: has 3 channels, 2 are wanted (DNA, actin); choose with --channel" in found.failed[0]
    chosen = find_images(tmp_path, channel=[1, 0], channels=wanted)
    loaded = LoadMicroscopyd("image")(chosen.items[1])["image"].numpy()
    np.testing.assert_array_equal(loaded, np.stack([to_gray(planes[1]), to_gray(planes[0])]))
    with pytest.raises(UserError, match=r"--channel 1: the model takes 2 channels \(DNA, actin\); give 2"):
        find_images(tmp_path, channel=1, channels=wanted)


def test_pages_that_may_be_channels_are_asked_about(tmp_path: Path, planes: np.ndarray) -> None:
    tifffile.imwrite(tmp_path / "a.tif", planes[:2], photometric="minisblack", metadata=None)
    with pytest.raises(UserError, match=r"has 1 channel, 2 are wanted .*; if its 2 pages are channels.*--axes CYX"):
        find_images(tmp_path, channels=["a", "b"])
    (item,) = find_images(tmp_path, axes="cyx", channels=["a", "b"]).items
    loaded = LoadMicroscopyd("image")(item)
    assert tuple(loaded["image"].shape) == (2, *SHAPE)
    assert loaded["image"].meta["pages"] == 1
    Image.fromarray(planes[0]).save(tmp_path / "b.png")
    with pytest.raises(UserError, match=r"b\.png: has 1 channel, 2 are wanted \(a, b\)$"):
        find_images(tmp_path / "b.png", channels=["a", "b"])


OME = """<?xml version="1.0" encoding="UTF-8"?>
<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:{own}">{images}</OME>"""
IMAGE = """<Image ID="Image:{name}"><Pixels ID="Pixels:{name}" DimensionOrder="XYCZT" Type="uint8" SizeX="30" SizeY="20"
SizeZ="1" SizeC="2" SizeT="1"><Channel ID="Channel:{name}:0"/><Channel ID="Channel:{name}:1"/>{planes}</Pixels>
</Image>"""
PLANE = """<TiffData IFD="{channel}" FirstC="{channel}" PlaneCount="1"><UUID FileName="{name}.ome.tif">urn:{name}</UUID>
</TiffData>"""


def test_several_stacks_in_a_file_are_refused(tmp_path):
    """Else channels of the one and the other would be pages of one stack."""
    path, pixels = tmp_path / "a.ome.tif", np.zeros((2, 20, 30), np.uint8)
    with tifffile.TiffWriter(path) as writer:
        for _ in range(3):
            writer.write(pixels, photometric="minisblack", metadata={"axes": "CYX"})
    with pytest.raises(UserError, match=r"a\.ome\.tif: holds 3 stacks; save them as single files"):
        count_pages(path)
    assert count_pages(path, "ZYX") == 6


def test_single_images_in_a_file_are_pages(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.ome.tif") as writer:
        for _ in range(3):
            writer.write(np.zeros((20, 30), np.uint8), photometric="minisblack", metadata={"axes": "YX"})
    assert count_pages(tmp_path / "a.ome.tif") == 3


def test_metadata_of_several_files_give_each_its_own_stack(tmp_path):
    images = "".join(
        IMAGE.format(name=name, planes="".join(PLANE.format(name=name, channel=channel) for channel in range(2)))
        for name in "ab"
    )
    for number, name in enumerate("ab"):
        pixels = np.arange(2, dtype=np.uint8)[:, None, None] + np.full((1, 20, 30), 10 * number, np.uint8)
        xml = OME.format(own=name, images=images)
        tifffile.imwrite(tmp_path / f"{name}.ome.tif", pixels, photometric="minisblack", metadata=None, description=xml)
    for number, name in enumerate("ab"):
        for channel in range(2):
            image = read_image(tmp_path / f"{name}.ome.tif", channel=channel)
            assert (image == 10 * number + channel).all()
