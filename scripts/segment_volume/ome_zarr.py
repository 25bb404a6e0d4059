"""The image of an OME-Zarr at its full resolution: its array, axes, pixel size and unit, and where it lies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from custom.data.pixel_size import UNKNOWN, Scale, in_one_unit, unit_name
from custom.errors import UserError

from .times import Times

Origin = tuple[float, float, float]
"""Where the first pixel lies along slices, rows and columns."""


@dataclass(frozen=True)
class Image:
    """An array with a letter for each of its axes, "?" for all if they have no such names.

    Attributes:
        array: of the full resolution.
        axes: such as "tczyx".
        scale: size of a pixel along slices, rows and columns.
        unit: of `scale` and `origin`, by the names of OME-NGFF; None where it is not known.
        origin: of the first pixel.
        times: of an axis of time.
    """

    array: zarr.Array
    axes: str
    scale: Scale
    unit: str | None
    origin: Origin
    times: Times


def full_resolution(group: zarr.Group, path: Path, axes: str | None = None) -> Image:
    """The image of a group.

    Args:
        group: of OME-Zarr 0.4 or 0.5; earlier ones have no pixel size, and most have no axes.
        path: its path, for messages.
        axes: what the axes are, instead of what the group says.

    Raises:
        UserError: no image, several images, an array that is missing.
    """
    attributes = _attributes(group)
    if not attributes.get("multiscales"):
        inside = _image_inside(attributes)
        if inside is None:
            raise UserError(f"{path}: a Zarr group without an OME-Zarr image; give the path of an array inside it")
        raise UserError(f"{path}: a collection of OME-Zarr images; give one of them, such as {path / inside}")
    multiscale = attributes["multiscales"][0]
    level = multiscale["datasets"][0]
    array = group.get(level["path"])
    if not isinstance(array, zarr.Array):
        raise UserError(f"{path}: its array {level['path']} is missing; restore it")
    own = multiscale.get("axes", [{"name": "?"}] * array.ndim)  # up to 0.2 axes have no names
    described = [axis if isinstance(axis, dict) else {"name": axis} for axis in own]  # 0.3 has bare names
    names = [axis["name"].lower() for axis in described]
    letters = axes.lower() if axes else "".join(names) if all(len(name) == 1 for name in names) else "?" * len(names)
    outer = _scale(multiscale, array.ndim)
    sizes = dict(zip(letters, _scale(level, array.ndim) * outer, strict=False))
    offsets = _translation(level, array.ndim) * outer + _translation(multiscale, array.ndim)
    starts = dict(zip(letters, map(float, offsets), strict=False))
    units = {letter: axis.get("unit") for letter, axis in zip(letters, described, strict=False)}
    size = in_one_unit([_size(sizes, axis) for axis in "zyx"], [_unit(units.get(axis)) for axis in "zyx"])
    z, y, x = (
        0.0 if own is None or size is UNKNOWN else starts[axis] * own / sizes[axis]  # in the same unit
        for axis, own in zip("zyx", size[0], strict=True)
    )
    times = Times(_size(sizes, "t"), starts.get("t", 0.0), units.get("t"))
    return Image(array, letters, *size, (z, y, x), times)


def _attributes(group: zarr.Group) -> Mapping[str, Any]:
    attributes: Any = group.attrs.asdict()
    return attributes.get("ome", attributes)


def _image_inside(attributes: Mapping[str, Any]) -> str | None:
    """Where a plate, a well or a collection of Bio-Formats has its first image."""
    if "plate" in attributes:
        return f"{attributes['plate']['wells'][0]['path']}/0"
    if "well" in attributes:
        return str(attributes["well"]["images"][0]["path"])
    return "0" if "bioformats2raw.layout" in attributes else None


def _scale(described: Mapping[str, Any], dimensions: int) -> np.ndarray:
    """The factors of the coordinate transformations of a level, or those of all levels: 1 where there are none."""
    transformations = described.get("coordinateTransformations", [])
    scales = [part["scale"] for part in transformations if part["type"] == "scale"]
    return np.array(scales[0], float) if scales else np.ones(dimensions)


def _translation(described: Mapping[str, Any], dimensions: int) -> np.ndarray:
    """The offsets of the coordinate transformations, which come after the factors: 0 where there are none."""
    transformations = described.get("coordinateTransformations", [])
    offsets = [part["translation"] for part in transformations if part["type"] == "translation"]
    return np.array(offsets[0], float) if offsets else np.zeros(dimensions)


def _size(sizes: Mapping[str, float], axis: str) -> float | None:
    return float(sizes[axis]) if axis in sizes else None


def _unit(name: str | None) -> str | None:
    """A unit by its own name where it has no other."""
    return None if name is None else unit_name(name) or name
