"""Pixels of an image file as stored: Pillow for PNG, JPEG and BMP, tifffile for TIFF, nibabel for NIfTI."""

from __future__ import annotations

from collections.abc import Callable
from operator import methodcaller
from pathlib import Path

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from ..errors import UserError

TIFF_SUFFIXES = (".tif", ".tiff")
NIFTI_SUFFIXES = (".nii", ".nii.gz")
IMAGE_SUFFIXES = (".png", *TIFF_SUFFIXES, ".jpg", ".jpeg", ".bmp")

# Microscopes write mosaics far beyond Pillow's limit against decompression bombs, and the files are the user's own.
Image.MAX_IMAGE_PIXELS = None

_PLAIN_MODES = ("1", "L", "LA", "RGB", "RGBA", "I", "I;16", "I;16B", "I;16L", "F")


def decode(path: Path, page: int | None, indices: bool) -> NDArray:
    """Pixels (H, W) or (H, W, C) of one page. `indices`: a palette image gives indices, not colours.

    Raises:
        UserError: no such file, an unknown suffix, a page that the file does not have, several pages and none chosen,
            a truncated or corrupt file.
    """
    reader = _reader(path)
    try:
        return reader(path, page, indices)
    except UserError:
        raise
    except MemoryError as error:
        raise UserError(f"{path}: does not fit into memory; give it in smaller parts") from error
    except Exception as error:  # each codec has exceptions of its own
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{path}: truncated, corrupt or not an image ({reason}); give an intact file") from error


def count_pages(path: Path) -> int:
    """Number of pages of the file: 1 unless it is a multi-page TIFF.

    Raises:
        UserError: as `decode`.
    """
    reader = _reader(path)
    if reader is not _read_tiff:
        return 1
    try:
        with tifffile.TiffFile(path) as file:
            return len(_pages(file, path))
    except (tifffile.TiffFileError, OSError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{path}: truncated, corrupt or not a TIFF ({error}); give an intact file") from error


def _reader(path: Path) -> Callable[[Path, int | None, bool], NDArray]:
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    name = path.name.lower()
    if name.endswith(NIFTI_SUFFIXES):
        return _read_nifti
    if name.endswith(TIFF_SUFFIXES):
        return _read_tiff
    if name.endswith(IMAGE_SUFFIXES):
        return _read_pillow
    raise UserError(f"{path}: unknown image format; use PNG, TIFF, JPEG or BMP")


def _check_single(path: Path, page: int | None) -> None:
    if page not in (None, 0):
        raise UserError(f"{path}: has no page {page}; it has one page, number 0")


def _read_pillow(path: Path, page: int | None, indices: bool) -> NDArray:
    _check_single(path, page)
    with Image.open(path) as image:
        image.load()
        if image.mode == "P" and indices:
            return np.asarray(image)
        if image.format == "PNG" and image.mode in ("LA", "RGB", "RGBA") and _png_depth(path) == 16:
            return imagecodecs.png_decode(path.read_bytes())  # Pillow halves the depth of 16-bit colour
        if image.mode not in _PLAIN_MODES:
            return np.asarray(image.convert("RGBA" if image.has_transparency_data else "RGB"))
        return np.asarray(image)


def _png_depth(path: Path) -> int:
    with path.open("rb") as file:
        return file.read(25)[24]  # the bit depth in the IHDR chunk, which is always first


def _read_tiff(path: Path, page: int | None, indices: bool) -> NDArray:
    with tifffile.TiffFile(path) as file:
        pages = _pages(file, path)
        if page is None and len(pages) > 1:
            raise UserError(
                f"{path}: has {len(pages)} pages; choose one by `page`, or split the file into one per page"
            )
        number = page or 0
        if not 0 <= number < len(pages):
            raise UserError(f"{path}: has no page {page}; its pages are 0 to {len(pages) - 1}")
        return _read_tiff_page(pages[number], path, indices)


def _pages(file: tifffile.TiffFile, path: Path) -> list[tifffile.TiffPage]:
    pages = [page for page in map(methodcaller("aspage"), file.pages) if not page.is_reduced]  # no previews
    if not pages:
        raise UserError(f"{path}: truncated or corrupt, it has no pages; give an intact file")
    # ImageJ stores stacks over 4 GB behind one page, which says how many there should be.
    planes = (file.imagej_metadata or {}).get("images", 1) if file.is_imagej else 1
    if planes > len(pages):
        raise UserError(f"{path}: holds {planes} images behind {len(pages)} page; save them as single files")
    return pages


def _read_tiff_page(page: tifffile.TiffPage, path: Path, indices: bool) -> NDArray:
    size = path.stat().st_size
    if any(start + count > size for start, count in zip(page.dataoffsets, page.databytecounts, strict=True)):
        raise UserError(f"{path}: truncated, its pixels end beyond the file; give an intact file")
    array = page.asarray()
    if page.axes.startswith("S"):
        array = np.moveaxis(array, 0, -1)
    colour = page.photometric in (tifffile.PHOTOMETRIC.RGB, tifffile.PHOTOMETRIC.YCBCR)
    gray_alpha = page.samplesperpixel == 2 and bool(page.extrasamples)
    if page.samplesperpixel > 1 and not (colour or gray_alpha):
        raise UserError(f"{path}: has {page.samplesperpixel} channels that are not colours; save the one to use alone")
    if page.colormap is not None and not indices:
        return np.moveaxis(page.colormap, 0, -1)[array]
    if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE and array.dtype.kind in "bu":
        return np.invert(array)
    return array


def _read_nifti(path: Path, page: int | None, indices: bool) -> NDArray:
    import nibabel  # only labels drawn in 3D Slicer come this way

    _check_single(path, page)
    array = np.asarray(nibabel.nifti1.load(path).dataobj)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim != 2:
        raise UserError(f"{path}: has shape {array.shape}; a 2D label of shape (W, H) or (W, H, 1) is needed")
    return np.ascontiguousarray(array.T)
