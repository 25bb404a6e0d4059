"""The pixel size that a file states, as ImageJ and OME write it, and whether it fits that of a model."""

from __future__ import annotations

import logging
import os
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Sequence
from pathlib import Path

import tifffile

from .decode import TIFF_SUFFIXES

Scale = tuple[float | None, float, float]
"""Size of a pixel along slices (None: not known), rows and columns."""
# Names of OME-NGFF for what files call their unit.
UNITS = {
    "å": "angstrom",
    "angstrom": "angstrom",
    "nm": "nanometer",
    "nanometer": "nanometer",
    "µm": "micrometer",
    "μm": "micrometer",
    "um": "micrometer",
    "micron": "micrometer",
    "microns": "micrometer",
    "micrometer": "micrometer",
    "mm": "millimeter",
    "millimeter": "millimeter",
    "cm": "centimeter",
    "m": "meter",
}
MICROMETRES = {
    "angstrom": 1e-4,
    "nanometer": 1e-3,
    "micrometer": 1.0,
    "millimeter": 1e3,
    "centimeter": 1e4,
    "meter": 1e6,
}
SAME = 1.3  # the zoom that trainings draw: a model has seen pixels that differ by this factor
UNKNOWN: tuple[Scale, str | None] = ((1.0, 1.0, 1.0), None)


def pixel_size(file: tifffile.TiffFile) -> tuple[Scale, str | None]:
    """Size of a pixel along slices, rows and columns, and its unit; `UNKNOWN` where the file does not say.

    The resolution tags alone are not taken: most programs write 72 dots per inch whatever the image shows.
    """
    if file.is_ome and file.ome_metadata:
        return _from_ome(file.ome_metadata)
    if file.is_imagej and file.imagej_metadata:
        return _from_imagej(file)
    return UNKNOWN


def in_one_unit(sizes: Sequence[float | None], units: Sequence[str | None]) -> tuple[Scale, str | None]:
    """Size of a pixel along slices, rows and columns in the unit of the columns, or `UNKNOWN`.

    A size is not known if it is not positive, or in another unit that cannot be converted.

    Args:
        sizes: along slices, rows and columns. That along slices may be missing.
        units: of each, by the names of OME-NGFF; None: not known.
    """
    unit = units[-1]
    z, y, x = (_converted(size, own, unit) for size, own in zip(sizes, units, strict=True))
    return UNKNOWN if y is None or x is None else ((z, y, x), unit)


def _converted(size: float | None, unit: str | None, wanted: str | None) -> float | None:
    if size is None or not 0 < size < float("inf"):
        return None
    if unit == wanted:
        return size
    if unit not in MICROMETRES or wanted not in MICROMETRES:
        return None
    return size * MICROMETRES[unit] / MICROMETRES[wanted]


def in_micrometres(scale: Scale, unit: str | None) -> float | None:
    """Side of a pixel in the plane, in micrometres; None if it is not known, or a pixel is not square.

    Args:
        scale: size along slices, rows and columns.
        unit: its unit, by the names of OME-NGFF.
    """
    rows, columns = scale[-2:]
    if unit not in MICROMETRES or abs(rows - columns) > 0.01 * columns:
        return None
    return columns * MICROMETRES[unit]


def stated_pixel_size(path: Path) -> float | None:
    """Side of a pixel in micrometres, as a TIFF of ImageJ or OME states it; None of other files."""
    if not path.name.lower().endswith(TIFF_SUFFIXES):
        return None
    with tifffile.TiffFile(path) as file:
        return in_micrometres(*pixel_size(file))


def warn_of_pixel_size(found: Iterable[tuple[str | os.PathLike[str], float | None]], model: float | None) -> None:
    """Warn once if an image's pixels are not those that a model is used for.

    Args:
        found: files, and their pixel sizes in micrometres.
        model: pixel size in micrometres of the images that the model is for; None: not known.
    """
    if model is None:
        return
    for name, size in found:
        if size is not None and not model / SAME <= size <= model * SAME:
            logging.getLogger(__name__).warning(
                f"{name}: has pixels of {size:g} um by its metadata, the model is used as for {model:g} um; "
                f"--pixel_size {size:g} brings it to their scale"
            )
            return


def ome_pixels(text: str) -> ElementTree.Element | None:
    """The first `Pixels` of the metadata of OME; None where there are none, or the text is not XML."""
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return None
    return next((element for element in root.iter() if element.tag.endswith("}Pixels")), None)


def _from_ome(text: str) -> tuple[Scale, str | None]:
    pixels = ome_pixels(text)
    if pixels is None:
        return UNKNOWN
    sizes = [positive(pixels.get(f"PhysicalSize{axis}")) for axis in "ZYX"]
    units = [unit_name(pixels.get(f"PhysicalSize{axis}Unit", "µm")) for axis in "ZYX"]  # the default of the OME schema
    return in_one_unit(sizes, units) if None not in units else UNKNOWN


def _from_imagej(file: tifffile.TiffFile) -> tuple[Scale, str | None]:
    metadata = file.imagej_metadata or {}
    tags = file.pages.first.tags
    # The units of rows and slices are only written where they are others.
    units = [unit_name(str(metadata.get(name, metadata.get("unit", "")))) for name in ("zunit", "yunit", "unit")]
    if None in units or "XResolution" not in tags or "YResolution" not in tags:
        return UNKNOWN
    (x_pixels, x_length), (y_pixels, y_length) = tags["XResolution"].value, tags["YResolution"].value
    if 0 in (x_pixels, x_length, y_pixels, y_length):
        return UNKNOWN
    return in_one_unit((positive(metadata.get("spacing")), y_length / y_pixels, x_length / x_pixels), units)


def unit_name(name: str) -> str | None:
    """The name that OME-NGFF has for a unit of length; None of others."""
    # ImageJ writes the micro sign as an escape sequence.
    return UNITS.get(name.replace("\\u00B5", "µ").strip().lower())


def positive(value: object) -> float | None:
    """A positive finite number; None for anything else."""
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if 0 < number < float("inf") else None
