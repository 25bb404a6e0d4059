"""Objects from the ROI Manager of ImageJ: a `.roi` file, or a zip of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from roifile import ROI_SUBTYPE, ROI_TYPE, ImagejRoi

from custom.archive import open_archive
from custom.errors import UserError

from .regions import Region, oval, rectangle

SUFFIXES = (".zip", ".roi")
_LARGEST = 2**30  # bytes of an unpacked zip
_AREAS = (ROI_TYPE.POLYGON, ROI_TYPE.RECT, ROI_TYPE.OVAL, ROI_TYPE.FREEHAND, ROI_TYPE.TRACED)
_NO_AREAS = (ROI_SUBTYPE.TEXT, ROI_SUBTYPE.ARROW, ROI_SUBTYPE.IMAGE)


def read_rois(path: Path) -> list[Region]:
    """The objects of a file, in its order.

    Raises:
        UserError: not such a file, a damaged one, or a ROI without area: a line, point, text or the like.
    """
    return [_region(name, data, path) for name, data in _members(path)]


def _members(path: Path) -> list[tuple[str, bytes]]:
    if path.suffix.lower() == ".roi":
        return [(path.stem, path.read_bytes())]
    with open_archive(path, _LARGEST) as archive:
        names = [name for name in archive.namelist() if name.lower().endswith(".roi")]
        if not names:
            raise UserError(f"{path}: holds no .roi; save the regions by More > Save in the ROI Manager of ImageJ")
        return [(name, archive.read(name)) for name in names]


def _region(name: str, data: bytes, path: Path) -> Region:
    try:
        roi = ImagejRoi.frombytes(data)
        rings = _rings(roi)
    except Exception as error:  # damage shows in many ways
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{path}: {name} cannot be read ({reason}); save the regions again in ImageJ") from error
    if not rings:
        kind = "text or an arrow" if roi.subtype in _NO_AREAS else f"a {roi.roitype.name.lower()}"
        raise UserError(f"{path}: {name} is {kind}, which encloses no area; delete it in the ROI Manager of ImageJ")
    page = max(roi.position, roi.z_position, roi.t_position) - 1
    return Region([rings], page=None if page < 0 else page)


def _rings(roi: ImagejRoi) -> list[NDArray]:
    """Outlines in pixels (x, y); none of a ROI without area."""
    if roi.roitype not in _AREAS or roi.subtype in _NO_AREAS:
        return []
    if roi.roitype == ROI_TYPE.OVAL or (roi.roitype == ROI_TYPE.RECT and not roi.composite):
        box = np.array([[roi.left, roi.top], [roi.right, roi.bottom]], np.float64)
        if roi.subpixelrect and roi.widthd > 0:
            box = np.array([[roi.xd, roi.yd], [roi.xd + roi.widthd, roi.yd + roi.heightd]])
        return [oval(box) if roi.roitype == ROI_TYPE.OVAL else rectangle(box)]
    coordinates = roi.coordinates(multi=True)
    return [np.asarray(ring, np.float64) for ring in coordinates if len(ring) >= 3]
