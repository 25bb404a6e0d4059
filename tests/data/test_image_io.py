"""All common formats give the same pixels; partial files are not left behind."""

from __future__ import annotations

import resource
from pathlib import Path

import nibabel
import numpy as np
import pytest
import tifffile
from PIL import Image

from custom.data import count_pages, image_io, read_image, read_mask, to_gray, write_channels, write_image
from custom.data.image_io import write_tiff
from custom.data.pairs import list_images
from custom.errors import UserError

SHAPE = (37, 53)


@pytest.fixture
def gray() -> np.ndarray:
    return np.random.default_rng(0).integers(3, 250, SHAPE, dtype=np.uint8)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".tiff", ".bmp", ".PNG"])
def test_lossless_formats_keep_the_pixels(tmp_path: Path, gray: np.ndarray, suffix: str) -> None:
    Image.fromarray(gray).save(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(read_image(tmp_path / f"a{suffix}"), gray)
    assert count_pages(tmp_path / f"a{suffix}") == 1


@pytest.mark.parametrize("suffix", [".btf", ".tf8", ".TF2"])
def test_names_of_bigtiff(tmp_path: Path, gray: np.ndarray, suffix: str) -> None:
    pages = np.stack([gray, gray[::-1]])
    tifffile.imwrite(tmp_path / f"a{suffix}", pages, bigtiff=True, photometric="minisblack")
    assert [file.name for file in list_images(tmp_path)] == [f"a{suffix}"]
    assert count_pages(tmp_path / f"a{suffix}") == 2
    np.testing.assert_array_equal(read_image(tmp_path / f"a{suffix}", 1), gray[::-1])
    np.testing.assert_array_equal(read_mask(tmp_path / f"a{suffix}", 0), gray)


def test_jpeg_is_near(tmp_path: Path) -> None:
    ramp = np.tile(np.arange(53, dtype=np.uint8) * 4, (37, 1))
    Image.fromarray(ramp).save(tmp_path / "a.jpg", quality=95)
    image = read_image(tmp_path / "a.jpg")
    assert image.shape == SHAPE
    assert np.abs(image.astype(int) - ramp).max() <= 3


@pytest.mark.parametrize("compression", [None, "lzw", "zlib"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "uint32", "float32", "float64"])
def test_tiff_of_any_type(tmp_path: Path, gray: np.ndarray, dtype: str, compression: str | None) -> None:
    tifffile.imwrite(tmp_path / "a.tif", gray.astype(dtype), compression=compression)
    image = read_image(tmp_path / "a.tif")
    assert image.dtype == dtype
    np.testing.assert_array_equal(image, gray)


def test_colour_alpha_and_16_bits(tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    for channels in (3, 4):
        colour = generator.integers(0, 256, (*SHAPE, channels), dtype=np.uint8)
        Image.fromarray(colour).save(tmp_path / "a.png")
        np.testing.assert_array_equal(read_image(tmp_path / "a.png"), colour)
        deep = generator.integers(0, 65536, (*SHAPE, channels), dtype=np.uint16)
        tifffile.imwrite(tmp_path / "a.tif", deep, photometric="rgb")
        np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), deep)
    import imagecodecs

    (tmp_path / "deep.png").write_bytes(imagecodecs.png_encode(deep))
    np.testing.assert_array_equal(read_image(tmp_path / "deep.png"), deep)


def test_planar_tiff_and_min_is_white(tmp_path: Path, gray: np.ndarray) -> None:
    colour = np.stack([gray, gray // 2, 255 - gray])
    tifffile.imwrite(tmp_path / "planar.tif", colour, photometric="rgb", planarconfig="separate")
    np.testing.assert_array_equal(read_image(tmp_path / "planar.tif"), np.moveaxis(colour, 0, -1))
    tifffile.imwrite(tmp_path / "white.tif", 255 - gray, photometric="miniswhite")
    np.testing.assert_array_equal(read_image(tmp_path / "white.tif"), gray)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
def test_palette_is_colours_in_an_image_and_indices_in_a_mask(tmp_path: Path, suffix: str) -> None:
    indices = np.random.default_rng(2).integers(0, 3, SHAPE, dtype=np.uint8)
    colours = np.array([[255, 0, 0], [0, 200, 0], [10, 20, 30]], np.uint8)
    image = Image.fromarray(indices)
    image.putpalette(colours.tobytes())
    image.save(tmp_path / f"a{suffix}")
    as_colours = to_gray(read_image(tmp_path / f"a{suffix}"))
    np.testing.assert_allclose(as_colours, to_gray(colours[indices]), atol=1e-6)
    np.testing.assert_array_equal(read_mask(tmp_path / f"a{suffix}"), indices)


def test_pages_are_chosen(tmp_path: Path) -> None:
    stack = np.random.default_rng(3).integers(0, 255, (4, *SHAPE), dtype=np.uint8)
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, stack, photometric="minisblack")
    assert count_pages(path) == 4
    for page in range(4):
        np.testing.assert_array_equal(read_image(path, page), stack[page])
    with pytest.raises(UserError, match=r"stack\.tif: has 4 pages; choose one"):
        read_image(path)
    with pytest.raises(UserError, match=r"no page 4; its pages are 0 to 3"):
        read_image(path, 4)


def test_one_page_formats_have_page_0_alone(tmp_path: Path, gray: np.ndarray) -> None:
    write_image(tmp_path / "a.png", gray)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png", 0), gray)
    with pytest.raises(UserError, match="has no page 1"):
        read_image(tmp_path / "a.png", 1)


@pytest.mark.parametrize("shape", [SHAPE, (*SHAPE, 1)])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_nifti_label_as_3d_slicer_writes_it(tmp_path: Path, shape: tuple[int, ...], suffix: str) -> None:
    mask = np.random.default_rng(4).integers(0, 2, SHAPE, dtype=np.uint8)
    stored = mask.T if len(shape) == 2 else mask.T[:, :, None]
    nibabel.save(nibabel.nifti1.Nifti1Image(stored, np.diag([-1.0, -1.0, 1.0, 1.0])), tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(read_mask(tmp_path / f"a{suffix}"), mask)


def test_boolean_float_and_gray_rgb_masks(tmp_path: Path) -> None:
    mask = np.random.default_rng(5).integers(0, 2, SHAPE, dtype=np.uint8)
    Image.fromarray(mask.astype(bool)).save(tmp_path / "bool.png")
    tifffile.imwrite(tmp_path / "float.tif", mask * np.float32(255))
    Image.fromarray(np.repeat(mask[..., None] * np.uint8(255), 3, axis=2)).save(tmp_path / "rgb.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "bool.png"), mask)
    np.testing.assert_array_equal(read_mask(tmp_path / "float.tif"), mask * 255)
    np.testing.assert_array_equal(read_mask(tmp_path / "rgb.png"), mask * 255)
    assert read_mask(tmp_path / "bool.png").dtype == np.uint8


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.dstack([np.zeros(SHAPE), np.ones(SHAPE), np.zeros(SHAPE)]).astype(np.uint8), "has colours"),
        (np.full(SHAPE, 0.5, np.float32), "not whole numbers"),
        (np.full(SHAPE, np.nan, np.float32), "not whole numbers"),
    ],
)
def test_masks_that_are_none(tmp_path: Path, array: np.ndarray, message: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", array, photometric="rgb" if array.ndim == 3 else "minisblack")
    with pytest.raises(UserError, match=rf"a\.tif: .*{message}"):
        read_mask(tmp_path / "a.tif")


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg", ".bmp", ".nii"])
@pytest.mark.parametrize("keep", [0.0, 0.02, 0.5, 0.95])
def test_truncated_files_are_named(tmp_path: Path, gray: np.ndarray, suffix: str, keep: float) -> None:
    path = tmp_path / f"broken{suffix}"
    if suffix == ".nii":
        nibabel.save(nibabel.nifti1.Nifti1Image(gray, np.eye(4)), path)
    else:
        Image.fromarray(gray).save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(UserError, match=rf"broken\{suffix}: .*(truncated|corrupt)") as caught:
        (read_image if suffix == ".jpg" else read_mask)(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("compression", [None, "lzw", "zlib"])
@pytest.mark.parametrize("keep", [0.1, 0.5, 0.99])
def test_truncated_tiff_whose_directory_survives(
    tmp_path: Path, gray: np.ndarray, compression: str | None, keep: float
) -> None:
    path = tmp_path / "broken.tif"
    tifffile.imwrite(path, gray, compression=compression, metadata=None)
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(UserError, match=r"broken\.tif: truncated"):
        read_image(path)


def test_noise_is_no_image(tmp_path: Path) -> None:
    for suffix in (".png", ".tif", ".jpg", ".bmp", ".nii", ".nii.gz"):
        path = tmp_path / f"noise{suffix}"
        path.write_bytes(np.random.default_rng(6).bytes(500))
        with pytest.raises(UserError, match="noise"):
            read_mask(path)
    with pytest.raises(UserError, match="noise"):
        count_pages(tmp_path / "noise.tif")


def test_corrupt_compressed_strip(tmp_path: Path, gray: np.ndarray) -> None:
    path = tmp_path / "broken.tif"
    tifffile.imwrite(path, gray, compression="zlib", metadata=None)
    with tifffile.TiffFile(path) as file:
        offset = file.pages[0].dataoffsets[0]
    content = bytearray(path.read_bytes())
    content[offset + 20 : offset + 60] = b"\0" * 40
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"broken\.tif"):
        read_image(path)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_inf_are_refused(tmp_path: Path, value: float) -> None:
    image = np.zeros(SHAPE, np.float32)
    image[3, 5] = value
    tifffile.imwrite(tmp_path / "a.tif", image)
    with pytest.raises(UserError, match=r"a\.tif: 1 pixels are NaN or Inf"):
        read_image(tmp_path / "a.tif")


def test_channels_that_are_no_colours_are_refused(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif", np.zeros((*SHAPE, 5), np.uint8), photometric="minisblack", planarconfig="contig"
    )
    with pytest.raises(UserError, match=r"a\.tif: has 5 channels"):
        read_image(tmp_path / "a.tif")


def test_missing_and_unknown_files(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a\.png: no such file"):
        read_image(tmp_path / "a.png")
    with pytest.raises(UserError, match=f"{tmp_path}: is a folder; give an image file"):
        read_image(tmp_path)
    (tmp_path / "a.txt").write_text("no image")
    with pytest.raises(UserError, match=r"a\.txt: unknown image format; use PNG"):
        read_image(tmp_path / "a.txt")


@pytest.mark.parametrize(
    ("name", "dtype"),
    [("a.png", "uint8"), ("a.png", "uint16"), ("a.png", "bool"), ("a.tif", "float32"), ("a.tiff", "int32")],
)
def test_write_and_read_again(tmp_path: Path, gray: np.ndarray, name: str, dtype: str) -> None:
    array = (gray > 100) if dtype == "bool" else gray.astype(dtype)
    write_image(tmp_path / "new" / name, array)
    image = read_image(tmp_path / "new" / name)
    assert image.dtype == dtype
    np.testing.assert_array_equal(image, array)
    assert [file.name for file in (tmp_path / "new").iterdir()] == [name]


@pytest.mark.parametrize("room", [0, -1])
def test_a_tiff_whose_offsets_may_need_64_bits_is_a_bigtiff(tmp_path: Path, monkeypatch, room: int) -> None:
    """Also if it is compressed, where tifffile would fail in the middle of the file."""
    plane = np.linspace(0, 1, 35, dtype=np.float32).reshape(5, 7)
    monkeypatch.setattr(image_io, "LARGEST_TIFF", plane.nbytes + room)
    write_image(tmp_path / "image.tif", plane)
    write_channels(tmp_path / "channels.tif", plane.reshape(5, 1, 7), [f"row {number}" for number in range(5)])
    write_tiff(tmp_path / "tiles.tif", iter([plane]), plane.nbytes, shape=(5, 7), dtype=plane.dtype, tile=(16, 16))
    for name in ("image", "channels", "tiles"):
        with tifffile.TiffFile(tmp_path / f"{name}.tif") as file:
            assert file.is_bigtiff == (room < 0)
        np.testing.assert_array_equal(tifffile.imread(tmp_path / f"{name}.tif").reshape(5, 7), plane)


@pytest.mark.parametrize(("name", "dtype"), [("a.png", "float32"), ("a.jpg", "uint8"), ("a", "uint8")])
def test_what_cannot_be_written(tmp_path: Path, name: str, dtype: str) -> None:
    with pytest.raises(UserError, match=name):
        write_image(tmp_path / name, np.zeros(SHAPE, dtype))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_full_disk_leaves_the_old_file_and_no_other(tmp_path: Path, name: str) -> None:
    old = np.zeros(SHAPE, np.uint8)
    write_image(tmp_path / name, old)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))  # no file may grow further, as on a full disk
    try:
        with pytest.raises(UserError, match=rf"{name}: cannot be written .*free space"):
            write_image(tmp_path / name, np.random.default_rng(7).integers(0, 255, (200, 300), dtype=np.uint8))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [file.name for file in tmp_path.iterdir()] == [name]
    np.testing.assert_array_equal(read_image(tmp_path / name), old)


def test_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match=r"a\.png: cannot be written"):
        write_image(tmp_path / "file" / "a.png", np.zeros(SHAPE, np.uint8))


def test_real_stacks(real_data: Path) -> None:
    assert read_image(real_data / "isbi2012/train/image/00.png").shape == (512, 512)
    assert read_image(real_data / "PhC-C2DH-U373/01/t000.tif").shape == (520, 696)
    assert read_mask(real_data / "PhC-C2DH-U373/01_GT/SEG/man_seg001.tif").max() == 6
