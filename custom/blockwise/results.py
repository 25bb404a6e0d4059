"""What is computed of a large file: arrays on disk while blocks are segmented, then files written tile by tile."""

from __future__ import annotations

import hashlib
import math
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from ..data.image_io import write_image, write_tiff
from ..transforms.postprocessing import ProbabilityToInstances
from .components import components_in_blocks, windows
from .planes import ForegroundPlane, Plane

TILE = 512  # of the files
Window = tuple[slice, slice]
WHOLE: Window = (slice(None), slice(None))


class Results:
    """Mask, probability and instances of all pages of a file, under the names and with the content of the usual run.

    Args:
        scratch: an empty folder for the arrays.
        saver: the `SegmentationSaver` of the usual run.
        name: of the file, without suffix.
        shape: pages, rows and columns.
        block: pixels per side that are in memory at a time.
    """

    def __init__(self, scratch: Path, saver: Any, name: str, shape: tuple[int, int, int], block: int) -> None:
        self.scratch, self.saver, self.name, self.shape, self.block = scratch, saver, name, shape, block
        several = (len(saver.classes),) if len(saver.classes) > 2 else ()
        keys = set(saver.keys)
        self.mask: Any = self._array("mask", shape, "uint8") if "mask" in keys else None
        needed = keys & {"probability", "instance"}
        self.probability: Any = self._array("probability", (*several, *shape), "float32") if needed else None

    def put(self, page: int, window: Window, output: dict[str, Any]) -> None:
        """Keep what the transforms made of the logits of a window."""
        if self.mask is not None:
            self.mask[(page, *window)] = np.asarray(output["pred"][0]).astype(np.uint8)
        if self.probability is not None:
            planes = np.asarray(output["probability"])
            place = (page, *window)
            if self.probability.ndim == 3:
                self.probability[place] = planes[0]
            else:
                self.probability[(slice(None), *place)] = planes

    def write(self, rule: ProbabilityToInstances | None) -> None:
        """Write the files that the saver's keys name; `rule` makes the instances."""
        if self.mask is not None:
            self._write_mask()
        if self.probability is not None and "probability" in self.saver.keys:
            self._write_probability()
        if rule is not None and "instance" in self.saver.keys:
            self._write_instances(rule)

    def _write_mask(self) -> None:
        values, single = self.saver.values, self.shape[0] == 1
        path = self._path("mask", self.saver.mask_suffix if single else ".tif")
        if path.suffix == ".png":
            write_image(path, values[self.mask[0]], self.saver.colours)
        else:
            self._write_tiff(path, (values[tile] for tile in _pieces(self.mask, TILE)), values.dtype)

    def _write_probability(self) -> None:
        array, path = self.probability, self._path("probability", ".tif")
        if array.ndim == 3:
            self._write_tiff(path, _pieces(array, TILE), array.dtype)
            return
        # As `write_channels` does it: an identifier of the content, and the names of the classes.
        digest = hashlib.sha256()
        for rows in _pieces(array, None):
            digest.update(rows.tobytes())
        shape: tuple[int, ...] = (self.shape[0], array.shape[0], *self.shape[1:])
        metadata = {
            "axes": "CYX" if shape[0] == 1 else "ZCYX",
            "Channel": {"Name": [part.name for part in self.saver.classes]},
            "UUID": str(uuid.UUID(bytes=digest.digest()[:16])),
        }
        shape = shape[1:] if shape[0] == 1 else shape
        self._write_tiff(path, _pieces(array, TILE), array.dtype, shape=shape, ome=True, metadata=metadata)

    def _write_instances(self, rule: ProbabilityToInstances) -> None:
        found, size = self._array("instances", self.shape, "uint32"), self.shape[1:]
        labels = self._array("labels", (1, *size), "uint32") if rule.method == "components" else None
        counts = []
        for page in range(self.shape[0]):
            probability, out = ForegroundPlane(self.probability, page), Plane(found, page)
            if labels is not None:
                counts.append(components_in_blocks(probability, Plane(labels, 0), out, size, self.block, rule))
            else:
                out[WHOLE] = whole = np.asarray(rule(probability[WHOLE][None])[0])
                counts.append(int(whole.max()))
        dtype = np.dtype(np.uint16 if max(counts) <= np.iinfo(np.uint16).max else np.int32)
        tiles = (tile.astype(dtype) for tile in _pieces(found, TILE))
        self._write_tiff(self._path("instance", ".tif"), tiles, dtype)

    def _path(self, key: str, suffix: str) -> Path:
        return Path(self.saver.output_dir) / self.saver.folders[key] / f"{self.name}{suffix}"

    def _array(self, name: str, shape: Sequence[int], dtype: str) -> Any:
        chunks = (*(1 for _ in shape[:-2]), *(min(TILE, size) for size in shape[-2:]))
        return zarr.create_array(self.scratch / name, shape=tuple(shape), chunks=chunks, dtype=dtype)

    def _write_tiff(self, path: Path, tiles: Iterator[NDArray], dtype: np.dtype, **more: Any) -> None:
        """Write planes as a tiled TIFF, tile by tile."""
        shape = self.shape[1:] if self.shape[0] == 1 else self.shape
        given = {"shape": shape, **({"metadata": None} if self.shape[0] == 1 else {}), **more}
        size = math.prod(given["shape"]) * dtype.itemsize
        write_tiff(path, tiles, size, dtype=dtype, tile=(TILE, TILE), photometric="minisblack", **given)


def _pieces(array: Any, tile: int | None) -> Iterator[NDArray]:
    """All pixels of an array (Z, H, W) or (K, Z, H, W), page by page and class by class: square tiles, or bands."""
    *planes, height, width = array.shape
    for place in np.ndindex(*reversed(planes)):  # (Z,) or (Z, K)
        parts = windows((height, width), tile) if tile else _bands(height)
        for part in parts:
            yield array[(*reversed(place), *part)]


def _bands(height: int) -> Iterator[Window]:
    for top in range(0, height, TILE):
        yield slice(top, top + TILE), slice(None)
