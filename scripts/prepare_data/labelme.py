"""Objects from LabelMe: one JSON for each image, and from programs that write its format, such as X-AnyLabeling."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from custom.errors import UserError

from .json_labels import outline, read_json, size_of
from .regions import IGNORE, Region, oval, rectangle

_POLYGONS = ("polygon", "oriented_rectangle", "rotation")  # the last is X-AnyLabeling's
_IGNORED, _BACKGROUND = "__ignore__", "_background_"  # reserved labels of LabelMe, not classes


def read_labelme(path: Path) -> list[Region]:
    """The objects of a file, whose class is their label; shapes of one label and group are one object.

    Points are in pixels, and (0, 0) is the corner of the first pixel, as in the other formats. Objects cover the pixels
    whose centres they contain. (LabelMe's own export draws the outline, too, and adds up to a pixel all around.)

    Raises:
        UserError: not LabelMe, or a shape without area: a point, line or the like.
    """
    content = read_json(path)
    shapes = content.get("shapes")
    if not isinstance(shapes, list) or not all(isinstance(shape, dict) for shape in shapes):
        raise UserError(f"{path}: is not LabelMe; its `shapes` need to be a list of objects")
    size = size_of(content.get("imageHeight"), content.get("imageWidth"))
    objects: dict[tuple[str, str], list[list[NDArray]]] = {}
    for number, shape in enumerate(shapes, 1):
        where = f"{path}: shape {number}"
        label, group = _label(shape, where), shape.get("group_id")
        alone = f"shape {number}"
        objects.setdefault((label, alone if group is None else str(group)), []).append(_rings(shape, where))
    return [Region(parts, label, size=size) for (label, _), parts in objects.items()]


def _label(shape: dict[str, Any], where: str) -> str:
    label = shape.get("label")
    if not isinstance(label, str | int) or label == "":
        raise UserError(f"{where} has no label; name its class in LabelMe")
    if label == _BACKGROUND:
        raise UserError(f"{where} is {_BACKGROUND}, which is what no object covers; delete it")
    return IGNORE if label == _IGNORED else str(label)


def _rings(shape: dict[str, Any], where: str) -> list[NDArray]:
    """Outlines in pixels (x, y) of a shape."""
    kind, points = shape.get("shape_type") or "polygon", shape.get("points")  # LabelMe 3 wrote polygons only
    if kind == "mask":
        return _runs(_mask(shape.get("mask"), where), _two(points, where), where)
    if kind == "circle":
        centre, edge = _two(points, where)
        return [oval(centre + np.hypot(*(edge - centre)) * np.array([[-1, -1], [1, 1]]))]
    if kind == "rectangle" and len(outline(points, where, 2)) == 2:  # X-AnyLabeling gives all four corners
        return [rectangle(_two(points, where))]
    if kind in (*_POLYGONS, "rectangle"):
        return [outline(points, where)]
    raise UserError(f"{where} is a {kind}, which encloses no area; delete it, or draw a polygon")


def _two(points: Any, where: str) -> NDArray[np.float64]:
    pair = outline(points, where, 2)
    if len(pair) != 2:
        raise UserError(f"{where} has {len(pair)} points, not 2; draw it again")
    return pair


def _mask(text: Any, where: str) -> NDArray[np.bool_]:
    """Pixels (H, W) inside the box of a mask, from the text of a PNG."""
    try:
        with Image.open(BytesIO(base64.b64decode(text)), formats=["PNG"]) as picture:
            pixels = np.asarray(picture) != 0
    except (TypeError, ValueError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        reason = "it is missing" if text is None else " ".join(str(error).split())
        raise UserError(f"{where} has a mask that cannot be read ({reason}); draw it again") from error
    if pixels.ndim != 2:
        raise UserError(f"{where} has a mask of {pixels.shape[-1]} channels, not 1; draw it again")
    return pixels


def _runs(pixels: NDArray[np.bool_], box: NDArray[np.float64], where: str) -> list[NDArray]:
    """Rectangles around the runs of pixels in the rows of a mask.

    The box is of its first and last pixel, which LabelMe moves by fractions of a pixel, and others write as its end.
    """
    (left, top), (right, bottom) = np.round(box)
    stated = np.array([bottom - top + 1, right - left + 1])
    if (np.abs(stated - pixels.shape) > 1).any():
        raise UserError(
            f"{where} has a mask of {pixels.shape[0]} x {pixels.shape[1]} pixels (H x W) in a box of {stated[0]:g} x "
            f"{stated[1]:g}; draw it again"
        )
    padded = np.pad(pixels, ((0, 0), (1, 1))).astype(np.int8)
    row, edge = np.nonzero(np.diff(padded, axis=1))  # begin and end of each run, in turn
    corners = np.stack([edge + left, row + top], axis=1).reshape(-1, 2, 2)
    corners[:, 1, 1] += 1  # from the upper edge of the row to the lower one
    return [rectangle(corner) for corner in corners]
