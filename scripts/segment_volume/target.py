"""The result as OME-Zarr 0.4 or 0.5: the probability as an image, mask and instances as its labels, all as pyramids.

Of two classes the image is the probability of the second, (Z, H, W), and the mask is 0 and 1; of more, the image has a
channel for each class, (K, Z, H, W), and the mask has their values.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import zarr
from numcodecs import Blosc
from zarr.codecs import BloscCodec

from custom.data.pixel_size import Scale
from custom.model import ClassInfo

from .classes import TWO, channels_of, describe_channels, describe_values, mask_values
from .ome_zarr import Origin
from .times import UNTIMED, Times

Version = Literal["0.4", "0.5"]
PROBABILITY, MASK, INSTANCES = "", "labels/mask", "labels/instances"


class Axis(NamedTuple):
    """An axis of an image: its name, size of a pixel (None: not known), place of the first pixel, unit of both."""

    name: str
    size: float | None
    start: float
    unit: str | None


def layers(instances: bool, classes: Sequence[ClassInfo] = TWO) -> dict[str, np.dtype]:
    """What the result consists of: groups of the OME-Zarr image, and their types."""
    types = {PROBABILITY: np.dtype(np.float32), MASK: mask_values(classes).dtype}
    return types | ({INSTANCES: np.dtype(np.uint32)} if instances else {})


def bytes_per_voxel(instances: bool, classes: Sequence[ClassInfo] = TWO) -> int:
    """Bytes of the result for a voxel of a level, uncompressed; with instances there is a working copy of them."""
    types = layers(instances, classes)
    further = math.prod(channels_of(classes)) - 1
    return sum(dtype.itemsize for dtype in types.values()) + further * types[PROBABILITY].itemsize + 4 * instances


def level_shapes(shape: Sequence[int], chunk: int) -> list[tuple[int, int, int]]:
    """Shapes (Z, H, W) of the pyramid: rows and columns halved, rounded up, until a slice is one chunk."""
    shapes = [(shape[0], shape[1], shape[2])]
    while max(shapes[-1][1:]) > chunk:
        depth, height, width = shapes[-1]
        shapes.append((depth, -(-height // 2), -(-width // 2)))
    return shapes


def create(
    path: Path,
    shape: Sequence[int],
    chunk: int,
    scale: Scale,
    unit: str | None,
    version: Version = "0.4",
    instances: bool = False,
    classes: Sequence[ClassInfo] = TWO,
    film: bool = False,
    origin: Origin = (0.0, 0.0, 0.0),
    times: Times = UNTIMED,
) -> None:
    """Make the empty arrays and their metadata; chunks of (1, chunk, chunk) pixels, Zstandard.

    Args:
        path: a new folder.
        shape: (Z, H, W).
        chunk: rows and columns of a chunk.
        scale: size of a pixel along each axis; None: not known.
        unit: of `scale` and `origin`, in the words of OME-NGFF; None where it is not known.
        version: of OME-Zarr. 0.4 is Zarr version 2, which most desktop programs open; 0.5 is Zarr version 3.
        instances: whether there will be instances.
        classes: of the model.
        film: whether the slices are time points. Of more than two classes they are called slices nevertheless, as
            OME-Zarr demands time before channels.
        origin: where the first pixel lies along each axis.
        times: of the slices of a film.
    """
    root = zarr.create_group(path, zarr_format=2 if version == "0.4" else 3)
    shapes = level_shapes(shape, chunk)
    labels = root.create_group("labels")
    types = layers(instances, classes)
    first = Axis("z", scale[0], origin[0], unit)
    if film and len(classes) == 2:
        first = Axis("t", times.step, times.start, times.unit)
    axes = [first, Axis("y", scale[1], origin[1], unit), Axis("x", scale[2], origin[2], unit)]
    _describe(labels, {"labels": [name.removeprefix("labels/") for name in types if name != PROBABILITY]}, version)
    for name, dtype in types.items():
        group = root if name == PROBABILITY else root.create_group(name)
        channels = channels_of(classes) if name == PROBABILITY else ()
        names = "c" * len(channels) + "".join(axis.name for axis in axes)
        for level, level_shape in enumerate(shapes):
            _create_array(group, str(level), (*channels, *level_shape), chunk, dtype, version, names)
        metadata = _metadata(name, axes, len(shapes), version)
        if len(classes) > 2 and name != INSTANCES:
            metadata = (describe_channels if name == PROBABILITY else describe_values)(metadata, classes)
        _describe(group, metadata, version)


def create_working_array(path: Path, shape: Sequence[int], chunk: int) -> None:
    """An empty array of ids beside the result, (Z, H, W) uint32, for work that is not yet final."""
    root = zarr.create_group(path, zarr_format=2)
    _create_array(root, "0", shape, chunk, np.uint32, "0.4", "zyx")


def _create_array(
    group: zarr.Group, name: str, shape: Sequence[int], chunk: int, dtype: Any, version: Version, axes: str
) -> None:
    chunks = (*(1 for _ in shape[:-2]), min(chunk, shape[-2]), min(chunk, shape[-1]))
    group.create_array(name, shape=tuple(shape), chunks=chunks, dtype=dtype, **_storage(version, axes))


def _storage(version: Version, axes: str) -> dict[str, Any]:
    if version == "0.4":
        # Nested folders, as OME-Zarr 0.4 demands.
        key = {"name": "v2", "separator": "/"}
        return {"compressors": Blosc(cname="zstd", clevel=3, shuffle=Blosc.BITSHUFFLE), "chunk_key_encoding": key}
    codec = BloscCodec(cname="zstd", clevel=3, shuffle="bitshuffle")
    return {"compressors": codec, "dimension_names": tuple(axes)}


def _describe(group: zarr.Group, content: dict[str, Any], version: Version) -> None:
    """Write metadata where the version has them: at the top level, or under `ome`."""
    if version == "0.4":
        group.attrs.update(content)
    else:
        group.attrs["ome"] = {"version": version, **content}


def _metadata(name: str, axes: Sequence[Axis], levels: int, version: Version) -> dict[str, Any]:
    """Metadata of a pyramid. A mean over 2 x 2 pixels lies half a pixel off, a picked pixel does not."""
    sizes = [1.0 if axis.size is None else axis.size for axis in axes]
    datasets = []
    for level in range(levels):
        factors = (1, 2**level, 2**level)
        shifts = [0.5 * (f - 1) * s if name == PROBABILITY else 0.0 for f, s in zip(factors, sizes, strict=True)]
        offsets = [axis.start + shift for axis, shift in zip(axes, shifts, strict=True)]
        transformations = [
            {"type": "scale", "scale": [f * s for f, s in zip(factors, sizes, strict=True)]},
            {"type": "translation", "translation": offsets},
        ]
        datasets.append({"path": str(level), "coordinateTransformations": transformations})
    own_version = {"version": version} if version == "0.4" else {}
    multiscale = {
        **own_version,
        "name": name.removeprefix("labels/") or "probability",
        "axes": [_described(axis) for axis in axes],
        "datasets": datasets,
        "type": "mean" if name == PROBABILITY else "nearest",
    }
    extra = {"image-label": {**own_version, "source": {"image": "../../"}}} if name != PROBABILITY else {}
    return {"multiscales": [multiscale], **extra}


def _described(axis: Axis) -> dict[str, str]:
    unit = {"unit": axis.unit} if axis.size and axis.unit else {}
    return {"name": axis.name, "type": "time" if axis.name == "t" else "space", **unit}


def open_level(path: Path, name: str, level: int | str, mode: str = "r+") -> Any:
    """The array of one level."""
    return zarr.open_array(path / name / str(level), mode=mode)


def level_paths(path: Path, name: str) -> list[str]:
    """Names of the levels, finest first."""
    attributes: Any = zarr.open_group(path / name, mode="r").attrs.asdict()
    ome = attributes.get("ome", attributes)
    return [dataset["path"] for dataset in ome["multiscales"][0]["datasets"]]
