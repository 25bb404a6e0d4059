"""The time axis of a film: how far apart its slices are, as OME and ImageJ write it."""

from __future__ import annotations

from dataclasses import dataclass

import tifffile

from custom.data.pixel_size import ome_pixels, positive

# Names of OME-NGFF for what files call their unit.
UNITS = {
    "d": "day",
    "h": "hour",
    "min": "minute",
    "s": "second",
    "sec": "second",
    "ms": "millisecond",
    "µs": "microsecond",
    "μs": "microsecond",
    "ns": "nanosecond",
}


@dataclass(frozen=True)
class Times:
    """When the slices of a film were taken.

    Attributes:
        step: time between two slices; None: not known.
        start: time of the first.
        unit: of both, by the names of OME-NGFF; None where it is not known.
    """

    step: float | None = None
    start: float = 0.0
    unit: str | None = None


UNTIMED = Times()


def times_of(file: tifffile.TiffFile) -> Times:
    """The time axis that a TIFF states."""
    value: object = None
    name = ""
    if file.is_ome and file.ome_metadata:
        pixels = ome_pixels(file.ome_metadata)
        if pixels is not None:
            value, name = pixels.get("TimeIncrement"), pixels.get("TimeIncrementUnit", "s")  # the default of the schema
    elif file.is_imagej and file.imagej_metadata:
        value, name = file.imagej_metadata.get("finterval"), str(file.imagej_metadata.get("tunit", "s"))
    step, unit = positive(value), UNITS.get(name.strip())
    return UNTIMED if step is None or unit is None else Times(step, 0.0, unit)
