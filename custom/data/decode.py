"""Pixels of an image file: Pillow for PNG, JPEG and BMP, tifffile for TIFF, nibabel for NIfTI."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from ..errors import UserError
from ..files import is_unicode
from . import tiff
from .channels import Channel

TIFF_SUFFIXES = tiff.SUFFIXES
NIFTI_SUFFIXES = (".nii", ".nii.gz")
JPEG_SUFFIXES = (".jpg", ".jpeg")
IMAGE_SUFFIXES = (".png", *TIFF_SUFFIXES, *JPEG_SUFFIXES, ".bmp")
MASK_SUFFIXES = (*IMAGE_SUFFIXES, *NIFTI_SUFFIXES)
MICROSCOPE_SUFFIXES = (".czi", ".nd2", ".lif", ".oib", ".oif", ".vsi", ".svs", ".ndpi", ".lsm", ".dv", ".ims")
EXPORT = "export microscope formats as TIFF, for example with Fiji (File > Save As)"

# Microscopy mosaics exceed Pillow's limit against decompression bombs, and the files are the user's own.
Image.MAX_IMAGE_PIXELS = None

_FORMATS = ("PNG", "JPEG", "BMP")  # others are lossy, have pages, or are read by programs that Pillow starts
_JPEG = ("JPEG", "MPO")  # MPO is a JPEG followed by further ones, as phones and stereo cameras write it
_NEITHER = "truncated, corrupt or not a PNG, JPEG or BMP; give an intact file"
_LARGEST_RATIO = 1_100  # bytes of pixels per byte of a file; deflate reaches 1,032, a blank JPEG nearly as many
_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PLAIN_MODES = ("1", "L", "LA", "RGB", "RGBA", "I", "I;16", "I;16B", "I;16L", "F")


def decode(path: Path, page: int | None, channel: Channel, mask: bool, axes: str | None = None) -> NDArray:
    """Pixels (H, W) or (H, W, C) of one page, rotated according to EXIF. See `custom.data.read_image`, `read_mask`.

    Raises:
        UserError: no such file, an unknown suffix, a page or channel that does not exist, none chosen of several, a
            truncated or corrupt file.
    """
    name = _check_name(path)
    try:
        if name.endswith(TIFF_SUFFIXES):
            return tiff.read_page(path, page, channel, mask, axes)
        if page not in (None, 0):
            raise UserError(f"{path}: has no page {page}; it has one page, number 0")
        array = _read_nifti(path) if name.endswith(NIFTI_SUFFIXES) else _read_pillow(path, mask)
        if channel is None:
            return array
        array = array if array.ndim == 3 else array[..., None]
        for number in channel if isinstance(channel, tuple) else (channel,):
            tiff.check_channel(path, number, array.shape[2], colour=True)
        return array[..., list(channel) if isinstance(channel, tuple) else channel]
    except UserError:
        raise
    except MemoryError as error:
        raise UserError(f"{path}: does not fit into memory; give it in smaller parts") from error
    except Exception as error:  # each codec has exceptions of its own
        raise UserError(_damaged(path, error)) from error


def count_pages(path: Path, axes: str | None = None) -> int:
    """Number of pages of the file: 1 unless it is a TIFF.

    Raises:
        UserError: as `decode`.
    """
    if not _check_name(path).endswith(TIFF_SUFFIXES):
        return 1
    try:
        return tiff.count_pages(path, axes)
    except UserError:
        raise
    except Exception as error:  # tifffile trips over damage in many ways
        raise UserError(_damaged(path, error)) from error


def count_channels(path: Path, axes: str | None = None) -> int:
    """Number of channels of an image of the file, colours included and alpha not; 3 for a palette.

    Raises:
        UserError: as `decode`.
    """
    if not _check_name(path).endswith(TIFF_SUFFIXES):
        shape = decode(path, None, None, mask=False).shape
        return 1 if len(shape) == 2 or shape[2] == 2 else 3
    try:
        return tiff.count_channels(path, axes)
    except UserError:
        raise
    except Exception as error:  # tifffile raises many kinds of exceptions for damaged files
        raise UserError(_damaged(path, error)) from error


def _check_name(path: Path) -> str:
    if path.is_dir():
        raise UserError(f"{path}: is a folder; give an image file")
    if not path.is_file():
        target = f"; it is a link to {path.readlink()}" if path.is_symlink() else ""
        raise UserError(f"{path}: no such file{target}")
    name = path.name.lower()
    if not name.endswith(MASK_SUFFIXES):
        more = f" ({EXPORT})" if name.endswith(MICROSCOPE_SUFFIXES) else ""
        raise UserError(f"{path}: unknown image format; use PNG, TIFF, JPEG or BMP{more}")
    if not is_unicode(path.name):
        raise UserError(f"{path}: its name is not UTF-8, and could not be written into results; rename it")
    return name


def _damaged(path: Path, error: Exception) -> str:
    reason = " ".join(str(error).split()) or type(error).__name__
    return f"{path}: truncated, corrupt or not an image ({reason}); give an intact file"


def _read_pillow(path: Path, mask: bool) -> NDArray:
    with _open_pillow(path) as image:
        if mask and image.format in _JPEG:
            raise UserError(f"{path}: is a JPEG, which changes mask values; give PNG or TIFF")
        _check_size(image, path)
        image.load()
        if image.format in _JPEG:
            _check_jpeg(path, image.mode)
        return tiff.orient(_pixels(image, path, mask), image.getexif().get(tiff.ORIENTATION, 1))


def _open_pillow(path: Path) -> Image.Image:
    try:
        return Image.open(path, formats=_FORMATS)
    except UnidentifiedImageError as error:
        with path.open("rb") as file:
            is_tiff = file.read(4) in _TIFF_MAGIC
        advice = "is a TIFF under another suffix; rename it" if is_tiff else _NEITHER
        raise UserError(f"{path}: {advice}") from error


def _check_size(image: Image.Image, path: Path) -> None:
    """Raise before memory is reserved for more pixels than the file can hold, or if it has several images."""
    (width, height), depth = image.size, _png_depth(path) if image.format == "PNG" else 8
    if width * height * len(image.getbands()) * depth > 8 * _LARGEST_RATIO * path.stat().st_size:
        raise UserError(f"{path}: truncated or corrupt, it is too short for {height} x {width} pixels; give another")
    if image.format == "PNG" and (count := getattr(image, "n_frames", 1)) > 1:
        raise UserError(f"{path}: holds {count} images; save them as single files, or as pages of a TIFF")


def _check_jpeg(path: Path, mode: str) -> None:
    """Raise for data that decoders silently replace by gray, found by a lossless transcoder, which parses every bit."""
    if mode in ("L", "RGB"):
        imagecodecs.jpegxl_encode_jpeg(path.read_bytes())


def _pixels(image: Image.Image, path: Path, mask: bool) -> NDArray:
    if image.mode == "P" and mask:
        grays = _gray_palette(image)
        if grays is None:
            return np.asarray(image)
        if not image.has_transparency_data:
            return grays[np.asarray(image)]
    if image.format == "PNG" and image.mode in ("LA", "RGB", "RGBA") and _png_depth(path) == 16:
        return imagecodecs.png_decode(path.read_bytes())  # Pillow halves the depth of 16-bit colour
    if image.mode not in _PLAIN_MODES:
        return np.asarray(image.convert("RGBA" if image.has_transparency_data else "RGB"))
    return np.asarray(image)


def _gray_palette(image: Image.Image) -> NDArray[np.uint8] | None:
    """The 256 gray values of a palette, padded with black; None if one of its colours is not gray."""
    colours = np.array(image.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
    if (colours != colours[:, :1]).any():
        return None
    return np.pad(colours[:, 0], (0, 256 - len(colours)))


def _png_depth(path: Path) -> int:
    with path.open("rb") as file:
        return file.read(25)[24]  # the bit depth in the IHDR chunk, which is always first


def _read_nifti(path: Path) -> NDArray:
    import nibabel  # only needed for labels drawn in 3D Slicer

    array = np.asarray(nibabel.nifti1.load(path).dataobj)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim != 2:
        raise UserError(f"{path}: has shape {array.shape}; a 2D label of shape (W, H) or (W, H, 1) is needed")
    return np.ascontiguousarray(array.T)
