"""Gray volumes read window by window: TIFF stacks, Zarr arrays, OME-Zarr images."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from operator import methodcaller
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import zarr
from numpy.typing import NDArray

from custom.data import tiff
from custom.data.channels import refuse_channels_as_columns
from custom.data.decode import EXPORT, MICROSCOPE_SUFFIXES
from custom.data.gray import luma
from custom.data.image_io import require_unchanged, state_of
from custom.data.pixel_size import UNKNOWN, pixel_size
from custom.errors import UserError

from .ome_zarr import Origin, full_resolution
from .times import UNTIMED, times_of

_aspage = methodcaller("aspage")  # with all tags
# A chunk has to be decoded whole, so the largest one bounds the memory from below.
LARGEST_CHUNK = 2**30
_UNNAMED = "qyx"  # axes of an array that only counts them, Q as of tifffile
ADVICE = "give a TIFF stack, a Zarr array or an OME-Zarr image of slices, rows and columns"


class Volume:
    """A volume (Z, H, W) of which windows of single slices are read, as `custom.data.read_image` reads whole pages.

    Axes named C, and samples that are not colours, are channels; the other axis beside rows and columns that is longer
    than 1 are the slices. Colours and palettes become brightness, WhiteIsZero is inverted.

    Args:
        path: TIFF, Zarr array, or OME-Zarr image (0.4 or 0.5; its full resolution is read).
        channel: which channel, from 0, of a volume that has several.
        axes: what the axes of the array are, such as "ZCYX", where the file does not say it or not rightly.
        time: which time point, from 0, of a volume that has several; None: they are the slices.

    Attributes:
        channels: how many the volume has.
        shape: (Z, H, W) in pixels; Z is 1 for a single image.
        dtype: of the values read.
        pixel_dtype: of the pixels before colours became brightness.
        film: whether the slices are time points.
        scale: size of a pixel along slices (None where the file does not say), rows and columns, in `unit`.
        origin: where the first pixel lies along slices, rows and columns, in `unit`.
        times: of the slices of a film.
        unit: by the names of OME-NGFF; None where the file does not say.

    Raises:
        UserError: not readable, not a volume, none chosen of several channels, or of several time points of
            slices, chunks of more than `LARGEST_CHUNK` bytes.
    """

    def __init__(
        self, path: Path, channel: int | None = None, axes: str | None = None, time: int | None = None
    ) -> None:
        self.path = path
        self.scale, self.unit = UNKNOWN
        self.origin: Origin = (0.0, 0.0, 0.0)
        self.times = UNTIMED
        self._page: tifffile.TiffPage | None = None
        self._state = state_of(path) if path.is_file() else None  # that of a Zarr array is in many files
        if not path.exists():
            raise UserError(f"{path}: no such volume; {ADVICE}")
        named_tiff = path.name.lower().endswith(tiff.SUFFIXES)
        if path.is_file() and not named_tiff:
            microscope = path.name.lower().endswith(MICROSCOPE_SUFFIXES)
            endings = ", ".join(tiff.SUFFIXES)
            raise UserError(f"{path}: not a volume; {EXPORT if microscope else f'{ADVICE}, TIFF as {endings}'}")
        try:
            array, stated = self._open_tiff() if named_tiff else self._open_zarr(axes)
            if axes is None and stated.endswith(_UNNAMED):
                refuse_channels_as_columns(path, array.shape)
        except UserError:
            raise
        except FileNotFoundError as error:
            raise UserError(f"{path}: not a volume, but a folder without Zarr arrays; {ADVICE}") from error
        except Exception as error:  # each reader has exceptions of its own
            raise UserError(f"{path}: not a volume ({_one_line(error)}); {ADVICE}") from error
        self._array = array
        stored = np.dtype(array.dtype).newbyteorder("=")
        if stored.kind not in "buif" or stored.itemsize > 8:
            raise UserError(f"{path}: has values of type {array.dtype}; give gray values, integer or float")
        colour = self._page is not None and tiff.is_colour(self._page)
        if axes is not None and len(axes) != len(array.shape):
            raise UserError(f"{path}: has shape {array.shape}, so axes {axes} do not hold; give one letter for each")
        letters = (axes or stated).lower()
        self._axes = _choose(path, letters, array.shape, channel, colour, time)
        self.film = self._axes.z is not None and letters[self._axes.z] == "t"
        self.channels = self._axes.channels
        lengths = [1 if axis is None else array.shape[axis] for axis in (self._axes.z, self._axes.y, self._axes.x)]
        self.shape: tuple[int, int, int] = (lengths[0], lengths[1], lengths[2])
        empty = self._shown(
            np.zeros((1, 1) if self._axes.colour is None else (1, 1, array.shape[self._axes.colour]), stored)
        )
        self.pixel_dtype, self.dtype = empty.dtype, luma(empty, str(path)).dtype
        chunk = math.prod(array.chunks) * stored.itemsize
        if chunk > LARGEST_CHUNK:
            raise UserError(
                f"{path}: its chunks of {chunk / 2**30:.1f} GiB cannot be read bit by bit; store it in smaller ones"
            )

    def read(self, z: int, rows: slice, columns: slice) -> NDArray:
        """Values (h, w) of a window of slice `z`.

        Raises:
            UserError: a chunk that cannot be read, NaN or Inf among the pixels, a file changed since it was opened.
        """
        where = f"slice {z}, rows {rows.start} to {rows.stop - 1}, columns {columns.start} to {columns.stop - 1}"
        try:
            window = np.asarray(self._array[self._axes.index(z, rows, columns)])
        except Exception as error:  # each codec has exceptions of its own
            raise UserError(f"{self.path}: {where} cannot be read ({_one_line(error)}); restore the file") from error
        self.require_unchanged()
        window = self._shown(self._axes.in_order(window))
        window = window.astype(window.dtype.newbyteorder("="), copy=False)
        if window.dtype.kind == "f" and not np.isfinite(window).all():
            raise UserError(f"{self.path}: {where} has NaN or Inf; give finite gray values")
        return luma(window, str(self.path))

    def require_unchanged(self) -> None:
        """Raise UserError if the volume is a file that changed since it was opened."""
        require_unchanged(self.path, self._state)

    def _shown(self, window: NDArray) -> NDArray:
        return window if self._page is None else tiff.as_shown(window, self._page)

    def bands(self, z: int) -> Iterator[NDArray]:
        """All pixels of slice `z`, in bands of rows of about 4 million pixels, whole chunks where they are smaller."""
        height, width = self.shape[1:]
        chunk = self._array.chunks[self._axes.y]
        rows = max(1, 2**22 // width // chunk) * chunk
        for top in range(0, height, rows):
            yield self.read(z, slice(top, min(height, top + rows)), slice(0, width))

    def _open_tiff(self) -> tuple[Any, str]:
        file = tifffile.TiffFile(self.path)
        tiff.require_all_pages(file, self.path)
        series = self._series(file)
        page = series.keyframe.aspage()
        if series.dataoffset is not None and series.dataoffset + series.nbytes > self.path.stat().st_size:
            raise UserError(f"{self.path}: truncated, its pixels end beyond the file; give an intact file")
        # Pages whose pixels follow each other are one block to tifffile, even if their tags say otherwise.
        for other in series.pages if series.dataoffset is None else file.pages:
            if other is None:
                raise UserError(
                    f"{self.path}: truncated, or without its other files: pages are missing; give an intact file"
                )
            with warnings.catch_warnings():  # an OME-TIFF may have several files, which are opened for this
                warnings.filterwarnings("ignore", message=".*from closed file")
                complete = other.aspage()
            tiff.check_complete(complete, Path(complete.parent.filehandle.path))
        if page.tags.valueof(tiff.ORIENTATION, 1) != 1:
            raise UserError(f"{self.path}: its tag Orientation turns the image; save it as it is shown")
        self._page = page
        (self.scale, self.unit), self.times = pixel_size(file), times_of(file)
        return zarr.open_array(series.aszarr(level=0), mode="r"), series.axes.lower()

    def _series(self, file: tifffile.TiffFile) -> tifffile.TiffPageSeries:
        """The stack of a file. To tifffile, pages that were written one by one are as many images of one page."""
        pages = [page for page in map(_aspage, file.pages) if not page.is_reduced]
        first, *others = (series for series in file.series if not series.keyframe.is_reduced)
        tiff.require_alike([first.keyframe.aspage(), *pages], self.path)
        if not others:
            return first
        if any(len(series.pages) > 1 for series in (first, *others)) or len({page.hash for page in pages}) > 1:
            raise UserError(f"{self.path}: holds {len(others) + 1} stacks; save them as single files")
        return tifffile.TiffPageSeries(pages, (len(pages), *pages[0].shape), pages[0].dtype, "Q" + pages[0].axes)

    def _open_zarr(self, axes: str | None) -> tuple[Any, str]:
        node = zarr.open(self.path, mode="r")
        if isinstance(node, zarr.Array):
            names = getattr(node.metadata, "dimension_names", None)
            plain = {2: "yx", 3: _UNNAMED}.get(node.ndim, "?" * node.ndim)
            return node, "".join(names) if names and all(name and len(name) == 1 for name in names) else plain
        image = full_resolution(node, self.path, axes)
        self.scale, self.unit, self.origin, self.times = image.scale, image.unit, image.origin, image.times
        return image.array, image.axes


@dataclass(frozen=True)
class _Axes:
    """The axes of slices, rows, columns and colours of an array, and the index on each other axis."""

    z: int | None
    y: int
    x: int
    colour: int | None
    fixed: dict[int, int]
    channels: int

    def index(self, z: int, rows: slice, columns: slice) -> tuple[Any, ...]:
        """Index of a window in the array."""
        optional = {axis: part for axis, part in ((self.z, z), (self.colour, slice(None))) if axis is not None}
        parts: dict[int, Any] = {**self.fixed, self.y: rows, self.x: columns, **optional}
        return tuple(parts[axis] for axis in range(len(parts)))

    def in_order(self, window: NDArray) -> NDArray:
        """Transpose a window to rows, columns and colours."""
        kept = [axis for axis in (self.y, self.x, self.colour) if axis is not None]
        return window.transpose([sorted(kept).index(axis) for axis in kept])


def _choose(
    path: Path, axes: str, shape: tuple[int, ...], channel: int | None, colour: bool, time: int | None
) -> _Axes:
    """The meaning of each axis; `colour` if samples (S) are colours."""
    found = f"{path}: has shape {shape} (axes {axes})"
    if "?" in axes and 0 not in shape and len(shape) > 2:
        raise UserError(
            f"{path}: has shape {shape}, and does not name its axes; say what they are, such as --axes TCZYX"
        )
    if "y" not in axes or "x" not in axes or 0 in shape:
        raise UserError(f"{found}: not a volume, or truncated; {ADVICE}")
    samples = axes.find("s") if "s" in axes and shape[axes.index("s")] > 1 else None
    channels = axes.find("c") if samples is None and "c" in axes else samples
    count = 1 if channels is None else shape[channels]
    if (channel is None and count > 1 and samples is None) or (channel is None and samples is not None and not colour):
        raise UserError(f"{found}: choose one of its {count} channels, --channel 0 to {count - 1}")
    if channel is not None and not 0 <= channel < count:
        known = f"choose --channel 0 to {count - 1}" if count > 1 else "leave --channel out"
        raise UserError(f"{found}: has no channel {channel}; {known}")
    colours = samples if channel is None else None
    rows, columns = axes.rindex("y"), axes.rindex("x")  # tifffile calls a page of one pixel XYX
    others = [i for i in range(len(axes)) if i not in (rows, columns, channels, colours)]
    stack, fixed = _slices(found, {i: axes[i] for i in others}, shape, time)
    if channels is not None and channels != colours:
        fixed[channels] = channel or 0
    return _Axes(stack, rows, columns, colours, fixed, count)


def _slices(
    found: str, axes: dict[int, str], shape: tuple[int, ...], time: int | None
) -> tuple[int | None, dict[int, int]]:
    """The axis of the slices, if there is one, among those that are neither channels nor in the plane, and the index
    on each other one."""
    chosen = {i: 0 if time is None else time for i, name in axes.items() if name == "t"}
    times = max([1, *(shape[i] for i in chosen)])
    if time is not None and not 0 <= time < times:
        known = f"choose --time 0 to {times - 1}" if times > 1 else "leave --time out"
        raise UserError(f"{found}: has no time point {time}; {known}")
    long = [i for i in axes if shape[i] > 1 and not (i in chosen and time is not None)]
    stack = long or [i for i in axes if axes[i] == "z"]
    if len(stack) > 1:
        advice = f"choose one of its {times} time points, --time 0 to {times - 1}" if times > 1 else ADVICE
        raise UserError(f"{found}: {advice}")
    return (stack[0] if stack else None), {i: chosen.get(i, 0) for i in axes if i not in stack}


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
