"""Every kind of volume gives the pixels that were written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr

from custom.errors import UserError
from scripts.segment_volume.source import Volume

STACK = np.random.default_rng(0).integers(0, 2**16, (5, 90, 70)).astype(np.uint16)


def tiff(suffix: str = ".tif", **options):
    def write(folder: Path) -> Path:
        tifffile.imwrite(folder / f"stack{suffix}", STACK, **options)
        return folder / f"stack{suffix}"

    return write


def page_by_page(suffix: str = ".tif", **options):
    """A stack of which each page was written by itself, as a microscope does it while it records."""

    def write(folder: Path) -> Path:
        with tifffile.TiffWriter(folder / f"pages{suffix}") as writer:
            for page in STACK:
                writer.write(page, photometric="minisblack", **options)
        return folder / f"pages{suffix}"

    return write


def several_files(folder: Path) -> Path:
    """The first file, of one slice, of an OME-TIFF whose other slices are in another, larger file."""
    files = {"a.ome.tif": STACK[:1], "b.ome.tif": STACK[1:]}
    places = [(name, page) for name, stack in files.items() for page in range(len(stack))]
    planes = "".join(
        f'<TiffData FirstZ="{z}" IFD="{page}" PlaneCount="1"><UUID FileName="{name}">urn:{name}</UUID></TiffData>'
        for z, (name, page) in enumerate(places)
    )
    depth, height, width = STACK.shape
    sizes = f'Type="uint16" SizeX="{width}" SizeY="{height}" SizeZ="{depth}" SizeC="1" SizeT="1"'
    pixels = f'<Pixels ID="Pixels:0" DimensionOrder="XYZCT" {sizes}><Channel ID="Channel:0:0"/>{planes}</Pixels>'
    schema = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
    for name, stack in files.items():
        xml = f'<OME xmlns="{schema}" UUID="urn:{name}"><Image ID="Image:0">{pixels}</Image></OME>'
        with tifffile.TiffWriter(folder / name) as writer:
            for page in stack:
                writer.write(page, description=xml, metadata=None, photometric="minisblack", contiguous=False)
                xml = ""
    return folder / "a.ome.tif"


def plain_zarr(zarr_format: int):
    def write(folder: Path) -> Path:
        array = zarr.create_array(
            folder / "stack.zarr", shape=STACK.shape, chunks=(2, 32, 17), dtype=STACK.dtype, zarr_format=zarr_format
        )
        array[:] = STACK
        return folder / "stack.zarr"

    return write


def ome_zarr(version: str, axes: str = "tczyx"):
    def write(folder: Path) -> Path:
        root = zarr.create_group(folder / "image.zarr", zarr_format=2 if version == "0.4" else 3)
        shape = {"t": 1, "c": 1, **dict(zip("zyx", STACK.shape, strict=True))}
        order = ["zyx".index(axis) for axis in axes if axis in "zyx"]
        array = root.create_array(
            "full", shape=[shape[axis] for axis in axes], chunks=(1,) * len(axes[:-2]) + (32, 17), dtype=STACK.dtype
        )
        array[:] = STACK.transpose(order).reshape(array.shape)
        units = [{"name": axis, **({"type": "space", "unit": "nanometer"} if axis in "zyx" else {})} for axis in axes]
        scale = [{"z": 50.0, "y": 4.0, "x": 4.0}.get(axis, 1.0) for axis in axes]
        datasets = [{"path": "full", "coordinateTransformations": [{"type": "scale", "scale": scale}]}]
        image = {"multiscales": [{"axes": units, "datasets": datasets, "version": version}]}
        root.attrs.update(image if version == "0.4" else {"ome": {**image, "version": version}})
        return folder / "image.zarr"

    return write


@pytest.mark.parametrize(
    "write",
    [
        tiff(),
        tiff(imagej=True, metadata={"axes": "ZYX"}),
        tiff(imagej=True, metadata={"axes": "TYX"}),
        tiff(ome=True, metadata={"axes": "TYX"}),
        tiff(photometric="minisblack", metadata=None),
        tiff(tile=(32, 32), compression="zlib"),
        tiff(rowsperstrip=7, compression="lzw"),
        tiff(ome=True, metadata={"axes": "ZYX"}),
        tiff(byteorder=">"),
        tiff(".btf", bigtiff=True),
        tiff(".ome.TF8", bigtiff=True, metadata={"axes": "ZYX"}),
        page_by_page(),
        page_by_page(contiguous=False),
        page_by_page(compression="zlib", tile=(32, 32)),
        page_by_page(".ome.tif"),
        several_files,
        plain_zarr(2),
        plain_zarr(3),
        ome_zarr("0.4"),
        ome_zarr("0.5"),
        ome_zarr("0.5", "zyx"),
        ome_zarr("0.5", "xyz"),
    ],
)
def test_windows_are_what_was_written(write, tmp_path):
    volume = Volume(write(tmp_path))
    assert volume.shape == STACK.shape
    np.testing.assert_array_equal(volume.read(2, slice(10, 81), slice(3, 40)), STACK[2, 10:81, 3:40])
    np.testing.assert_array_equal(np.concatenate(list(volume.bands(3))), STACK[3])


def test_a_volume_of_one_pixel(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.full((1, 1, 1), 7, np.uint16), photometric="minisblack")
    volume = Volume(tmp_path / "a.tif")
    assert volume.shape == (1, 1, 1)
    assert volume.read(0, slice(0, 1), slice(0, 1)).tolist() == [[7]]


def test_ome_zarr_knows_its_scale(tmp_path):
    volume = Volume(ome_zarr("0.4")(tmp_path))
    assert volume.scale == (50.0, 4.0, 4.0)
    assert volume.unit == "nanometer"


def test_channels(tmp_path):
    channels = np.stack([STACK, STACK[::-1]], axis=1)
    tifffile.imwrite(tmp_path / "two.tif", channels, imagej=True, metadata={"axes": "ZCYX"})
    with pytest.raises(UserError, match="--channel 0 to 1"):
        Volume(tmp_path / "two.tif")
    window = Volume(tmp_path / "two.tif", 1).read(0, slice(0, 90), slice(0, 70))
    np.testing.assert_array_equal(window, STACK[-1])


def channels_alone(folder: Path) -> Path:
    tifffile.imwrite(folder / "page.tif", STACK, imagej=True, metadata={"axes": "CYX"})
    return folder / "page.tif"


def turned(folder: Path) -> Path:
    tifffile.imwrite(folder / "page.tif", STACK[0], extratags=[(274, "H", 1, 6, True)])
    return folder / "page.tif"


def truncated(folder: Path) -> Path:
    path = tiff(metadata=None, photometric="minisblack")(folder)
    path.write_bytes(path.read_bytes()[:-2000])
    return path


def tag_zeroed(code: int, page: int) -> Callable[[Path], Path]:
    """A stack whose pixels follow each other, of which a tag of one page is 0."""

    def write(folder: Path) -> Path:
        path = tiff(metadata=None, photometric="minisblack")(folder)
        with tifffile.TiffFile(path) as file:
            tag = file.pages[page].aspage().tags[code]
        content = bytearray(path.read_bytes())
        content[tag.valueoffset : tag.valueoffset + 2] = bytes(2)
        path.write_bytes(content)
        return path

    return write


def not_a_tiff(folder: Path) -> Path:
    (folder / "text.tif").write_text("no pixels")
    return folder / "text.tif"


def empty_group(folder: Path) -> Path:
    zarr.create_group(folder / "group.zarr")
    return folder / "group.zarr"


def line(folder: Path) -> Path:
    zarr.create_array(folder / "line.zarr", shape=(90,), chunks=(30,), dtype="uint8")
    return folder / "line.zarr"


def unnamed(*shape: int) -> Callable[[Path], Path]:
    """A Zarr array that does not name its axes."""

    def write(folder: Path) -> Path:
        zarr.create_array(folder / "array.zarr", shape=shape, chunks=shape, dtype="uint8")
        return folder / "array.zarr"

    return write


def columns_of_channels(folder: Path) -> Path:
    tifffile.imwrite(folder / "a.tif", np.zeros((20, 31, 2), np.uint8), photometric="minisblack")
    return folder / "a.tif"


def several_times(folder: Path) -> Path:
    tifffile.imwrite(folder / "movie.tif", np.stack([STACK] * 2), imagej=True, metadata={"axes": "TZYX"})
    return folder / "movie.tif"


def two_stacks(folder: Path) -> Path:
    with tifffile.TiffWriter(folder / "positions.ome.tif") as writer:
        for number in range(2):
            writer.write(STACK[:3], photometric="minisblack", metadata={"axes": "ZYX", "Name": f"position {number}"})
    return folder / "positions.ome.tif"


def a_file_for_each_slice(folder: Path) -> Path:
    (folder / "slices").mkdir()
    for z, page in enumerate(STACK):
        tifffile.imwrite(folder / "slices" / f"{z}.tif", page)
    return folder / "slices"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "nothing.tif", "no such volume"),
        (lambda folder: folder, "not a volume"),
        (channels_alone, "--channel 0 to 4"),
        (turned, "its tag Orientation turns the image"),
        (truncated, "truncated"),
        (tag_zeroed(273, 0), "1 of 1 strips or tiles are missing"),
        (tag_zeroed(279, 1), "strips or tiles are missing|fewer bytes than pixels"),
        (tag_zeroed(256, 2), "its pages differ in size or type"),
        (not_a_tiff, "not a volume"),
        (empty_group, "without an OME-Zarr image"),
        (line, "not a volume"),
        (several_times, "choose one of its 2 time points, --time 0 to 1"),
        (two_stacks, "holds 2 stacks; save them as single files"),
        (a_file_for_each_slice, "not a volume, but a folder without Zarr"),
        (columns_of_channels, "has 20 pages of 31 x 2 pixels; save an image of 2 channels"),
        (unnamed(20, 31, 3), "has 20 pages of 31 x 3 pixels; save an image of 3 channels"),
        (unnamed(1, 2, 20, 31), "does not name its axes; say what they are, such as --axes TCZYX"),
    ],
)
def test_refusals(make, message, tmp_path):
    path = make(tmp_path)
    with pytest.raises(UserError, match=message) as error:
        Volume(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_broken_chunk_is_named(tmp_path):
    path = plain_zarr(3)(tmp_path)
    (path / "c" / "1" / "0" / "1").write_bytes(b"broken")
    volume = Volume(path)
    volume.read(0, slice(0, 90), slice(0, 70))
    with pytest.raises(UserError, match=r"stack.zarr: slice 2, rows 0 to 19, columns 20 to 29 cannot be read"):
        volume.read(2, slice(0, 20), slice(20, 30))


def test_nan_is_refused(tmp_path):
    array = zarr.create_array(tmp_path / "nan.zarr", shape=(2, 9, 8), chunks=(1, 9, 8), dtype="float32")
    array[1, 4, 4] = np.nan
    with pytest.raises(UserError, match="slice 1, .* has NaN or Inf"):
        Volume(tmp_path / "nan.zarr").read(1, slice(0, 9), slice(0, 8))


def test_pages_of_another_size_are_not_left_out(tmp_path):
    with tifffile.TiffWriter(tmp_path / "mixed.tif") as writer:
        for size in ((20, 31), (20, 31), (24, 31)):
            writer.write(np.zeros(size, np.uint8), contiguous=False)
    with pytest.raises(UserError, match=r"mixed\.tif: its pages differ in size or type"):
        Volume(tmp_path / "mixed.tif")


def test_microscope_formats_come_with_advice(tmp_path):
    (tmp_path / "a.nd2").write_bytes(bytes(9))
    with pytest.raises(UserError, match=r"a\.nd2: not a volume; export microscope formats as TIFF"):
        Volume(tmp_path / "a.nd2")


def test_the_endings_of_tiff_are_named(tmp_path):
    tiff()(tmp_path).rename(tmp_path / "stack.dat")
    with pytest.raises(UserError, match=r"stack\.dat: not a volume; give a TIFF stack.*, TIFF as \.tif, \.tiff, \.btf"):
        Volume(tmp_path / "stack.dat")
