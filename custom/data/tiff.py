"""Pages of a TIFF file: their number, whether their pixels are complete, and the meaning of the stored values."""

from __future__ import annotations

import logging
import math
import os
import struct
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from operator import methodcaller
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from ..errors import UserError

SUFFIXES = (".tif", ".tiff")
ORIENTATION = 274
_LOSSY = (tifffile.COMPRESSION.JPEG, tifffile.COMPRESSION.OJPEG)

# Damage is found and reported here, in one line.
logging.getLogger("tifffile").setLevel(logging.CRITICAL)


class _LastStack(threading.local):
    """Keeps the file this thread read last open, so that a file of N pages is opened and parsed once."""

    key: tuple[Any, ...] | None = None
    file: tifffile.TiffFile | None = None
    planes: NDArray[Any] | None = None


_last = _LastStack()


@contextmanager
def open_planes(path: Path) -> Iterator[NDArray[Any]]:
    """The `tifffile.TiffPage` of each page and channel of a file: objects (pages, channels).

    Axes of OME-TIFF and ImageJ are respected: C counts channels, all other axes (Z, T or unnamed) count pages.

    Raises:
        UserError: truncated, corrupt, or pages of different sizes or types.
    """
    state = path.stat()
    key = (os.fspath(path), state.st_mtime_ns, state.st_size, os.getpid())
    if _last.key == key and _last.planes is not None:
        yield _last.planes
        return
    file = tifffile.TiffFile(path)
    try:
        planes = _planes(file, path)
        yield planes
    except BaseException:
        file.close()
        raise
    if planes.size == 1:
        file.close()
        return
    if _last.file is not None:
        _last.file.close()
    _last.key, _last.file, _last.planes = key, file, planes


def require_all_pages(file: tifffile.TiffFile, path: Path) -> None:
    """Raise UserError if the chain of pages ends beyond the end of a file that was cut off."""
    count, tiff = len(file.pages), file.tiff
    if count == 0 or file.is_ndpi or file.is_stk:  # these formats link their pages differently
        return
    file.filehandle.seek(file.pages[-1].aspage().offset)
    tags = struct.unpack(tiff.tagnoformat, file.filehandle.read(tiff.tagnosize))[0]
    file.filehandle.seek(tags * tiff.tagsize, os.SEEK_CUR)
    if any(file.filehandle.read(tiff.offsetsize)):
        raise UserError(f"{path}: truncated, the pages after the first {count} are missing; give an intact file")


def require_alike(pages: Iterable[tifffile.TiffPage], path: Path) -> None:
    """Raise UserError unless all pages have the same size and type."""
    if len({(page.shape, page.dtype) for page in pages}) > 1:
        raise UserError(f"{path}: its pages differ in size or type; save them as single files")


def _planes(file: tifffile.TiffFile, path: Path) -> NDArray[Any]:
    require_all_pages(file, path)
    pages = [page for page in map(methodcaller("aspage"), file.pages) if not page.is_reduced]  # no previews
    if not pages:
        raise UserError(f"{path}: truncated or corrupt, it has no pages; give an intact file")
    # ImageJ stores stacks over 4 GB behind one page, whose metadata give the number of images.
    planes = (file.imagej_metadata or {}).get("images", 1) if file.is_imagej else 1
    if planes > len(pages):
        raise UserError(f"{path}: holds {planes} images behind {len(pages)} page; save them as single files")
    require_alike(pages, path)
    series = file.series[0]
    leading = [(name, size) for name, size in zip(series.axes, series.shape, strict=True) if name not in pages[0].axes]
    ordered = list(series.pages)
    if math.prod(size for _, size in leading) != len(pages) or len(ordered) != len(pages) or None in ordered:
        return _objects(pages, (len(pages), 1))
    names = [name for name, _ in leading]
    grid = _objects(list(map(methodcaller("aspage"), ordered)), tuple(size for _, size in leading))
    if "C" not in names or pages[0].samplesperpixel > 1:  # a stack of colour images has no other channels
        return grid.reshape(-1, 1)
    grid = np.moveaxis(grid, names.index("C"), -1)
    return grid.reshape(-1, grid.shape[-1])


def _objects(pages: list[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    grid = np.empty(len(pages), object)
    grid[:] = pages
    return grid.reshape(shape)


def count_pages(path: Path) -> int:
    """Number of images of the file, each with all of its channels."""
    with open_planes(path) as planes:
        return len(planes)


def read_page(path: Path, page: int | None, channel: int | None, mask: bool) -> NDArray:
    """Pixels (H, W) or (H, W, C) of one page, as viewers display them or, for a mask, its values."""
    with open_planes(path) as planes:
        count, channels = planes.shape
        if page is None and count > 1:
            raise UserError(f"{path}: has {count} pages; choose one by `page`, or split the file into one per page")
        if not 0 <= (page or 0) < count:
            raise UserError(f"{path}: has no page {page}; its pages are 0 to {count - 1}")
        first = planes[page or 0, 0]
        samples = first.samplesperpixel
        chosen = check_channel(path, channel, channels if channels > 1 else samples, is_colour(first))
        plane = planes[page or 0, chosen or 0] if channels > 1 else first
        check_complete(plane, path)
        array = plane.asarray()
        if plane.axes.startswith("S"):
            array = np.moveaxis(array, 0, -1)
        if channels == 1 and samples > 1 and chosen is not None:
            array = array[..., chosen]
        array = _mask_values(array, plane, path) if mask else as_shown(array, plane)
    return orient(array, plane.tags.valueof(ORIENTATION, 1))


def check_channel(path: Path, channel: int | None, count: int, colour: bool) -> int | None:
    """The channel to read, None for all channels of a colour image.

    Raises:
        UserError: the channel does not exist, or several are not colours and none was chosen.
    """
    if channel is None:
        if count > 1 and not colour:
            raise UserError(f"{path}: has {count} channels that are not colours; choose one, channel 0 to {count - 1}")
        return None
    if not 0 <= channel < count:
        known = f"its channels are 0 to {count - 1}" if count > 1 else "it has one channel; leave the channel out"
        raise UserError(f"{path}: has no channel {channel}; {known}")
    return channel


def is_colour(page: tifffile.TiffPage) -> bool:
    """Whether the samples of a pixel are a colour, with or without alpha, or gray and alpha."""
    if page.photometric in (tifffile.PHOTOMETRIC.RGB, tifffile.PHOTOMETRIC.YCBCR):
        return page.samplesperpixel in (3, 4)
    return page.samplesperpixel == 2 and bool(page.extrasamples)


def check_complete(page: tifffile.TiffPage, path: Path) -> None:
    """Raise UserError unless all strips or tiles of a page are in the file."""
    size = path.stat().st_size
    offsets, counts = page.dataoffsets, page.databytecounts
    expected = math.prod(page.chunked)
    # A strip at offset 0 or of 0 bytes is missing; readers return zeros for it.
    missing = expected - sum(bool(start and count) for start, count in zip(offsets, counts, strict=False))
    if missing > 0:
        raise UserError(f"{path}: truncated, {missing} of {expected} strips or tiles are missing; give an intact file")
    if any(start + count > size for start, count in zip(offsets, counts, strict=False)):
        raise UserError(f"{path}: truncated, its pages end beyond the file; give an intact file")
    size_of = 0 if page.dtype is None else page.dtype.itemsize
    plain = page.compression == tifffile.COMPRESSION.NONE and page.bitspersample == 8 * size_of
    if plain and sum(counts) < page.nbytes:
        raise UserError(f"{path}: truncated, it has fewer bytes than pixels; give an intact file")


def as_shown(array: NDArray, page: tifffile.TiffPage) -> NDArray:
    """Stored values (H, W) or (H, W, C) as viewers display them: palettes become colours, WhiteIsZero is inverted."""
    if page.colormap is not None:
        return np.moveaxis(page.colormap, 0, -1)[array]
    if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE and array.dtype.kind in "bu":
        return np.invert(array)
    return array


def _mask_values(array: NDArray, page: tifffile.TiffPage, path: Path) -> NDArray:
    """Values of a mask. WhiteIsZero is not applied to 8 bits and more, where ImageJ stores 255 for an object and draws
    it black; a palette of grays is, other palettes are not (see `custom.data.read_mask`)."""
    if page.compression in _LOSSY:
        raise UserError(f"{path}: is compressed by JPEG, which changes mask values; give PNG or lossless TIFF")
    if page.colormap is not None:
        red, green, blue = page.colormap
        return (red >> 8).astype(np.uint8)[array] if (red == green).all() and (red == blue).all() else array
    return as_shown(array, page) if array.dtype == bool else array


def orient(array: NDArray, orientation: int) -> NDArray:
    """Rotate and mirror pixels (H, W) or (H, W, C) according to the tag Orientation of EXIF and TIFF, 1 to 8."""
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    return array
