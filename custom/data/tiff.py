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
from .channels import Channel, refuse_channels_as_columns

SUFFIXES = (".tif", ".tiff", ".btf", ".tf8", ".tf2")  # the last three are names of BigTIFF
ORIENTATION = 274
_COMPRESSION = 259
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
def open_planes(path: Path, axes: str | None = None) -> Iterator[NDArray[Any]]:
    """The `tifffile.TiffPage` of each page and channel of a file: objects (pages, channels).

    Axes of OME-TIFF and ImageJ are respected: C counts channels, all other axes (Z, T or unnamed) count pages. `axes`
    (see `check_axes`) overrides them.

    Raises:
        UserError: truncated, corrupt, pages of different sizes or types, several stacks, or not of these axes.
    """
    state = path.stat()
    key = (os.fspath(path), state.st_mtime_ns, state.st_size, os.getpid(), axes)
    if _last.key == key and _last.planes is not None:
        yield _last.planes
        return
    file = tifffile.TiffFile(path)
    try:
        planes = _planes(file, path, axes)
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


def _planes(file: tifffile.TiffFile, path: Path, axes: str | None) -> NDArray[Any]:
    require_all_pages(file, path)
    pages = [page for page in map(methodcaller("aspage"), file.pages) if not page.is_reduced]  # no previews
    if not pages:
        raise UserError(f"{path}: truncated or corrupt, it has no pages; give an intact file")
    # ImageJ stores stacks over 4 GB behind one page, whose metadata give the number of images.
    planes = (file.imagej_metadata or {}).get("images", 1) if file.is_imagej else 1
    if planes > len(pages):
        raise UserError(f"{path}: holds {planes} images behind {len(pages)} page; save them as single files")
    require_alike(pages, path)
    series = _own_stack(file, path, axes) if file.is_ome else file.series[0]
    if axes is None and series.axes.endswith(("QYX", "YXC")) and pages[0].samplesperpixel == 1:
        refuse_channels_as_columns(path, series.shape)  # tifffile makes pages (W, C) of an array (H, W, C)
    leading = [(name, size) for name, size in zip(series.axes, series.shape, strict=True) if name not in pages[0].axes]
    ordered = list(series.pages)
    if math.prod(size for _, size in leading) != len(pages) or len(ordered) != len(pages) or None in ordered:
        ordered, leading = pages, [("", len(pages))]
    if axes is not None:
        leading = _named(axes, leading, pages, path)
    names = [name for name, _ in leading]
    grid = _objects(list(map(methodcaller("aspage"), ordered)), tuple(size for _, size in leading))
    if "C" not in names or pages[0].samplesperpixel > 1:  # a stack of colour images has no other channels
        return grid.reshape(-1, 1)
    grid = np.moveaxis(grid, names.index("C"), -1)
    return grid.reshape(-1, grid.shape[-1])


def _own_stack(file: tifffile.TiffFile, path: Path, axes: str | None) -> tifffile.TiffPageSeries:
    """The stack of an OME-TIFF, whose metadata may also describe stacks in other files; `axes` makes several one."""
    series = [one for one in file.series if any(page is not None and page.parent is file for page in one.pages)]
    if axes is None and len(series) > 1 and any(len(one.pages) > 1 for one in series):
        raise UserError(f"{path}: holds {len(series)} stacks; save them as single files")
    return series[0] if series else file.series[0]


def _named(axes: str, leading: list[tuple[str, int]], pages: list[Any], path: Path) -> list[tuple[str, int]]:
    """Names and sizes of the axes of pages, with the names that `axes` gives them."""
    first, _, last = axes.partition("YX")
    samples = pages[0].samplesperpixel
    letters = first if samples == 1 or last else first.replace("C", "")  # planar samples are channels, too
    if last and samples == 1:
        raise UserError(f"{path}: has one value a pixel, so that axes {axes} do not hold; give C before YX")
    if len(letters) <= 1:
        leading = [("", len(pages))] if letters else []
    if len(letters) != len(leading) or (not letters and len(pages) > 1):
        raise UserError(f"{path}: has {len(pages)} pages, which axes {axes} do not explain; give one letter an axis")
    return [(name, size) for name, (_, size) in zip(letters, leading, strict=True)]


def _objects(pages: list[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    grid = np.empty(len(pages), object)
    grid[:] = pages
    return grid.reshape(shape)


def count_pages(path: Path, axes: str | None = None) -> int:
    """Number of images of the file, each with all of its channels."""
    with open_planes(path, axes) as planes:
        return len(planes)


def count_channels(path: Path, axes: str | None = None) -> int:
    """Number of channels of the images of the file, without alpha."""
    with open_planes(path, axes) as planes:
        first = planes[0, 0]
        return planes.shape[1] if planes.shape[1] > 1 else _samples(first) - _has_alpha(first)


def read_page(path: Path, page: int | None, channel: Channel, mask: bool, axes: str | None = None) -> NDArray:
    """Pixels (H, W) or (H, W, C) of one page, as viewers display them or, for a mask, its values.

    Several channels are read as they are stored, without a palette.
    """
    with open_planes(path, axes) as planes:
        count, channels = planes.shape
        if page is None and count > 1:
            raise UserError(f"{path}: has {count} pages; choose one by `page`, or split the file into one per page")
        if not 0 <= (page or 0) < count:
            raise UserError(f"{path}: has no page {page}; its pages are 0 to {count - 1}")
        first = planes[page or 0, 0]
        samples = first.samplesperpixel
        if isinstance(channel, tuple):
            array = _stacked(planes[page or 0], channel, path)
            return orient(array, first.tags.valueof(ORIENTATION, 1))
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


def _stacked(planes: NDArray[Any], chosen: tuple[int, ...], path: Path) -> NDArray:
    """The chosen channels (H, W, C) of one image, from the pages of its channels or from one of several samples."""
    count = len(planes) if len(planes) > 1 else _samples(planes[0])
    for channel in chosen:
        check_channel(path, channel, count, colour=True)
    arrays = []
    for page in [planes[channel] for channel in chosen] if len(planes) > 1 else planes[:1]:
        check_complete(page, path)
        array = page.asarray()
        if page.axes.startswith("S"):
            array = np.moveaxis(array, 0, -1)
        arrays.append(array if page.colormap is not None and len(planes) > 1 else as_shown(array, page))
    if len(planes) > 1:
        return np.stack(arrays, axis=-1)
    array = arrays[0]
    return (array if array.ndim == 3 else array[..., None])[..., list(chosen)]


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


def _samples(page: tifffile.TiffPage) -> int:
    """Values of a pixel as it is shown, alpha included."""
    return 3 if page.colormap is not None else page.samplesperpixel


def _has_alpha(page: tifffile.TiffPage) -> bool:
    """Whether the last sample of a pixel is alpha, and not a channel of which the file says nothing."""
    unspecified = tifffile.EXTRASAMPLE.UNSPECIFIED
    declared = bool(page.extrasamples) and page.extrasamples[-1] != unspecified
    return is_colour(page) and page.samplesperpixel in (2, 4) and (declared or page.samplesperpixel == 4)


def check_complete(page: tifffile.TiffPage, path: Path) -> None:
    """Raise UserError unless all strips or tiles of a page, and its palette, are in the file."""
    size = path.stat().st_size
    offsets, counts = page.dataoffsets, page.databytecounts
    expected = math.prod(page.chunked)
    # A strip at offset 0 or of 0 bytes is missing; readers return zeros for it.
    missing = expected - sum(bool(start and count) for start, count in zip(offsets, counts, strict=False))
    if missing > 0:
        raise UserError(f"{path}: truncated, {missing} of {expected} strips or tiles are missing; give an intact file")
    if any(start + count > size for start, count in zip(offsets, counts, strict=False)):
        raise UserError(f"{path}: truncated, its pages end beyond the file; give an intact file")
    if page.photometric == tifffile.PHOTOMETRIC.PALETTE and page.colormap is None:
        raise UserError(f"{path}: truncated or corrupt, the colours of its palette are missing; give an intact file")
    size_of = 0 if page.dtype is None else page.dtype.itemsize
    plain = page.compression == tifffile.COMPRESSION.NONE and page.bitspersample == 8 * size_of
    if plain and sum(counts) < page.nbytes:
        raise UserError(f"{path}: truncated, it has fewer bytes than pixels; give an intact file")
    # A lost tag makes compressed strips look like pixels; readers disagree about uncompressed differences of pixels.
    too_many = sum(counts) > page.nbytes and _COMPRESSION not in page.tags
    if plain and (too_many or page.predictor > 1):
        raise UserError(f"{path}: corrupt, its tags do not say how its pixels are stored; give an intact file")


def as_shown(array: NDArray, page: tifffile.TiffPage) -> NDArray:
    """Stored values (H, W) or (H, W, C) as viewers display them: palettes become colours, WhiteIsZero is inverted."""
    if page.colormap is not None:
        return np.moveaxis(page.colormap, 0, -1)[array]
    if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE and array.dtype.kind in "bu":
        return np.invert(array)
    return array


def _mask_values(array: NDArray, page: tifffile.TiffPage, path: Path) -> NDArray:
    """Values of a mask. WhiteIsZero is not applied to 8 bits and more, where ImageJ stores 255 for an object and draws
    it black, nor to booleans of tifffile, which reads them back as they were; a palette of grays is, other palettes are
    not (see `custom.data.read_mask`)."""
    if page.compression in _LOSSY:
        raise UserError(f"{path}: is compressed by JPEG, which changes mask values; give PNG or lossless TIFF")
    if page.colormap is not None:
        red, green, blue = page.colormap
        return (red >> 8).astype(np.uint8)[array] if (red == green).all() and (red == blue).all() else array
    return as_shown(array, page) if array.dtype == bool and not page.software.startswith("tifffile") else array


def orient(array: NDArray, orientation: int) -> NDArray:
    """Rotate and mirror pixels (H, W) or (H, W, C) according to the tag Orientation of EXIF and TIFF, 1 to 8."""
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    return array
