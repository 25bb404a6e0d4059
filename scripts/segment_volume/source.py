"""Gray volumes read window by window: TIFF stacks, Zarr arrays, OME-Zarr images."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import zarr
from numpy.typing import NDArray

from custom.data.decode import TIFF_SUFFIXES
from custom.errors import UserError

# A chunk has to be decoded whole, so the largest one bounds the memory from below.
LARGEST_CHUNK = 2**30
ADVICE = "give a TIFF stack, a Zarr array or an OME-Zarr image of slices, rows and columns"


class Volume:
    """A gray volume (Z, H, W) of which windows of single slices are read.

    Args:
        path: TIFF stack, Zarr array, or OME-Zarr image (0.4 or 0.5; its full resolution is read).
        channel: which channel, from 0, of a volume that has several.

    Attributes:
        shape: (Z, H, W) in pixels.
        dtype: of the pixels.
        scale: size of a pixel along each axis, in `unit` (1 and None where the file does not say).

    Raises:
        UserError: nothing readable there, no volume, several channels and none chosen, several time points, chunks of
            more than `LARGEST_CHUNK` bytes.
    """

    def __init__(self, path: Path, channel: int | None = None) -> None:
        self.path = path
        self.scale = (1.0, 1.0, 1.0)
        self.unit: str | None = None
        if not path.exists():
            raise UserError(f"{path}: no such volume; {ADVICE}")
        try:
            array, axes = self._open_tiff() if path.name.lower().endswith(TIFF_SUFFIXES) else self._open_zarr()
        except UserError:
            raise
        except Exception as error:  # each reader has exceptions of its own
            raise UserError(f"{path}: not a volume ({_one_line(error)}); {ADVICE}") from error
        self._array = array
        self._index, self._order = _choose(path, axes, array.shape, channel)
        self.shape: tuple[int, int, int] = tuple(array.shape[axis] for axis in self._order)  # type: ignore[assignment]
        self.dtype = np.dtype(array.dtype).newbyteorder("=")
        if self.dtype.kind not in "buif" or self.dtype.itemsize > 8:
            raise UserError(f"{path}: has values of type {array.dtype}; give gray values, integer or float")
        chunk = math.prod(array.chunks) * self.dtype.itemsize
        if chunk > LARGEST_CHUNK:
            raise UserError(
                f"{path}: its chunks of {chunk / 2**30:.1f} GiB cannot be read bit by bit; store it in smaller ones"
            )

    def read(self, z: int, rows: slice, columns: slice) -> NDArray:
        """Pixels (h, w) of a window of slice `z`, as stored.

        Raises:
            UserError: a chunk that cannot be read, NaN or Inf among the pixels.
        """
        index = list(self._index)
        for axis, part in zip(self._order, (z, rows, columns), strict=True):
            index[axis] = part
        where = f"slice {z}, rows {rows.start} to {rows.stop - 1}, columns {columns.start} to {columns.stop - 1}"
        try:
            window = np.asarray(self._array[tuple(index)], self.dtype)
        except Exception as error:  # each codec has exceptions of its own
            raise UserError(f"{self.path}: {where} cannot be read ({_one_line(error)}); restore the file") from error
        if self._order[1] > self._order[2]:
            window = window.T
        if self.dtype.kind == "f" and not np.isfinite(window).all():
            raise UserError(f"{self.path}: {where} has NaN or Inf; give finite gray values")
        return window

    def bands(self, z: int) -> Iterator[NDArray]:
        """All pixels of slice `z`, in bands of rows of about 4 million pixels, whole chunks where they are smaller."""
        height, width = self.shape[1:]
        chunk = self._array.chunks[self._order[1]]
        rows = max(1, 2**22 // width // chunk) * chunk
        for top in range(0, height, rows):
            yield self.read(z, slice(top, min(height, top + rows)), slice(0, width))

    def _open_tiff(self) -> tuple[Any, str]:
        series = tifffile.TiffFile(self.path).series[0]
        size = self.path.stat().st_size
        if series.dataoffset is not None:
            ends = [series.dataoffset + series.nbytes]
        else:
            pages = [page.aspage() for page in series.pages if page is not None]
            ends = [a + b for page in pages for a, b in zip(page.dataoffsets, page.databytecounts, strict=True)]
        if max(ends, default=0) > size:
            raise UserError(f"{self.path}: truncated, its pixels end beyond the file; give an intact file")
        return zarr.open_array(series.aszarr(level=0), mode="r"), series.axes.lower()

    def _open_zarr(self) -> tuple[Any, str]:
        node = zarr.open(self.path, mode="r")
        if isinstance(node, zarr.Array):
            names = getattr(node.metadata, "dimension_names", None)
            plain = "zyx" if node.ndim == 3 else "?" * node.ndim
            return node, "".join(names) if names and all(name and len(name) == 1 for name in names) else plain
        attributes: Any = node.attrs.asdict()
        multiscales = attributes.get("ome", attributes).get("multiscales")
        if not multiscales:
            raise UserError(f"{self.path}: a Zarr group without an OME-Zarr image; give the path of an array inside it")
        image, full = multiscales[0], multiscales[0]["datasets"][0]
        axes = "".join(axis["name"] for axis in image["axes"])
        scale = dict(zip(axes, full["coordinateTransformations"][0]["scale"], strict=True))
        self.scale = (float(scale.get("z", 1)), float(scale["y"]), float(scale["x"]))
        self.unit = next((axis.get("unit") for axis in image["axes"] if axis["name"] == "x"), None)
        array = node[full["path"]]
        assert isinstance(array, zarr.Array)
        return array, axes


def _choose(path: Path, axes: str, shape: tuple[int, ...], channel: int | None) -> tuple[list[Any], tuple[int, ...]]:
    """Index with a number for each axis that is not read along, and the axes of slices, rows and columns."""
    found = f"{path}: has shape {shape} (axes {axes})"
    long = [i for i, name in enumerate(axes) if name not in "yx" and (shape[i] > 1 or name == "z")]
    stack = [i for i in long if axes[i] == "z"] or [i for i in long if axes[i] != "s"][:1]
    if "y" not in axes or "x" not in axes or not stack or 0 in shape:
        raise UserError(f"{found}: not a volume, or truncated; {ADVICE}")
    others = [i for i in long if i not in stack]
    index: list[Any] = [0] * len(shape)
    if others and (len(others) > 1 or axes[others[0]] not in "cs" or len(stack) > 1):
        raise UserError(f"{found}: give a single time point; {ADVICE}")
    if others:
        count = shape[others[0]]
        if channel is None or not 0 <= channel < count:
            raise UserError(f"{found}: choose one of its {count} channels, --channel 0 to {count - 1}")
        index[others[0]] = channel
    elif channel:
        raise UserError(f"{found}: has no channel {channel}; leave --channel out")
    return index, (stack[0], axes.index("y"), axes.index("x"))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
