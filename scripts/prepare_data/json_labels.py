"""Objects from JSON: GeoJSON of one image, as QuPath exports it, and COCO of many; what all kinds of JSON share."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from custom.data.pairs import composed
from custom.errors import UserError

from .regions import IGNORE, Region
from .run_lengths import filled

GEOJSON, COCO, LABELME = "GeoJSON", "COCO", "LabelMe"
SUFFIXES = (".geojson", ".json")


def kind_of(path: Path) -> str | None:
    """Which of the three a file is, None for another one."""
    try:
        content = _load(path)
    except (ValueError, RecursionError, OSError):
        return None
    if isinstance(content, dict) and {"images", "annotations"} <= content.keys():
        return COCO
    if isinstance(content, dict) and {"shapes", "imagePath"} <= content.keys():
        return LABELME
    return None if _features(content) is None else GEOJSON


def _load(path: Path) -> Any:
    return _load_once(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=2)
def _load_once(path: Path, changed: int) -> Any:
    return json.loads(path.read_text(encoding="utf-8-sig"))


def _features(content: Any) -> list[Any] | None:
    """The features of GeoJSON; QuPath writes a collection, a list or a single one. None if it is something else."""
    if isinstance(content, dict) and content.get("type") == "FeatureCollection":
        content = content.get("features")
    features = [content] if isinstance(content, dict) else content
    if not isinstance(features, list):
        return None
    return features if all(isinstance(x, dict) and x.get("type") == "Feature" for x in features) else None


def read_geojson(path: Path) -> list[Region]:
    """The objects of a GeoJSON file, whose class is the name of its classification; QuPath's `Ignore*` is ignored.

    Raises:
        UserError: the file is not GeoJSON, or an object is not a polygon.
    """
    features = _features(read_json(path))
    if features is None:
        raise UserError(f"{path}: is not GeoJSON; export the objects again (QuPath: File > Export objects)")
    try:
        regions = [_feature(number, feature, path) for number, feature in enumerate(features)]
    except (AttributeError, TypeError) as error:
        raise UserError(f"{path}: is not GeoJSON ({error}); export the objects again") from error
    if any(region.page is not None for region in regions):  # QuPath leaves out the first plane
        regions = [Region(region.parts, region.category, region.page or 0) for region in regions]
    return regions


def _feature(number: int, feature: dict[str, Any], path: Path) -> Region:
    where = f"{path}: object {number + 1}"
    geometry = feature.get("geometry") or {"type": "feature without geometry"}
    parts = [[outline(ring, where) for ring in _list(polygon, where)] for polygon in _polygons(geometry, where)]
    plane = geometry.get("plane") or {}
    page = max(int(plane.get("z", 0)), int(plane.get("t", 0))) if plane else None
    category = _class_name((feature.get("properties") or {}).get("classification")) or "object"
    return Region(parts, IGNORE if category.rstrip("*").casefold() == "ignore" else category, page)


def _polygons(geometry: dict[str, Any], where: str) -> list[Any]:
    """Coordinates of the polygons of a geometry, which may be a collection of geometries."""
    kind = geometry.get("type")
    if kind == "GeometryCollection" and geometry.get("geometries"):
        return [polygon for part in _list(geometry["geometries"], where) for polygon in _polygons(part, where)]
    if kind not in ("Polygon", "MultiPolygon"):
        raise UserError(f"{where} is a {kind}, not a polygon; delete it, or draw a polygon")
    coordinates = geometry.get("coordinates")
    return [coordinates] if kind == "Polygon" else list(_list(coordinates, where))


def _class_name(classification: Any) -> str:
    """Name of a class as QuPath shows it, `Tumor: Positive` if it is derived from another one; empty without a class.

    QuPath writes the names of a derived class as a list, and before version 0.4 the class that it is derived from.
    """
    if not isinstance(classification, dict):
        return str(classification or "")
    names = classification.get("names") or [classification.get("name")]
    return ": ".join(filter(None, [_class_name(classification.get("parentClass")), *map(str, filter(None, names))]))


def images_of_coco(path: Path) -> list[str]:
    """The file names of the images of a COCO file.

    Raises:
        UserError: not COCO, or an object of an image that it does not name.
    """
    content = _coco(path)
    known = {image["id"] for image in content["images"]}
    lost = next((item for item in content["annotations"] if item["image_id"] not in known), None)
    if lost is not None:
        raise UserError(
            f"{path}: annotation {lost.get('id')} is of image {lost['image_id']!r}, which `images` does not have; "
            "export the objects again"
        )
    return [_file_name(image) for image in content["images"]]


def _file_name(image: dict[str, Any]) -> str:
    """Name of the file alone; the path before it may be one of Windows."""
    return composed(PureWindowsPath(str(image["file_name"])).name)


def read_coco(path: Path, image: Path) -> list[Region]:
    """The objects of one image of a COCO file; its class is the name of its category. A group (`iscrowd`) is ignored.

    Raises:
        UserError: not COCO, an image that it does not name or names twice, an object without polygons or run lengths.
    """
    content = _coco(path)
    known = [item for item in content["images"] if _file_name(item) == composed(image.name)]
    if len(known) != 1:
        raise UserError(f"{path}: names {image.name} {len(known)} times; give each image a name of its own, once")
    names = {item["id"]: str(item["name"]) for item in content.get("categories") or []}
    size = size_of(known[0].get("height"), known[0].get("width"))
    own = [item for item in content["annotations"] if item["image_id"] == known[0]["id"]]
    return [_annotation(item, names, size, path) for item in own]


def _annotation(item: dict[str, Any], names: dict[Any, str], size: tuple[int, int] | None, path: Path) -> Region:
    where = f"{path}: annotation {item.get('id')}"
    category = IGNORE if item.get("iscrowd") == 1 else names.get(item.get("category_id"), "object")
    shape = item.get("segmentation")
    if isinstance(shape, dict):
        pixels = filled(shape, where)
        return Region(category=category, filled=pixels, size=(pixels.shape[0], pixels.shape[1]))
    if not isinstance(shape, list) or not shape:
        raise UserError(f"{where} has no outline; give polygons or run lengths")
    return Region([[outline(_points(numbers, where), where)] for numbers in shape], category, size=size)


def _coco(path: Path) -> dict[str, Any]:
    content = read_json(path)
    images = content.get("images") if isinstance(content, dict) else None
    annotations = content.get("annotations") if isinstance(content, dict) else None
    if not _have(images, "id", "file_name") or not _have(annotations, "image_id"):
        raise UserError(f"{path}: is not COCO; it needs lists `images` and `annotations`")
    if not _have(content.get("categories") or [], "id", "name"):
        raise UserError(f"{path}: is not COCO; its `categories` need an `id` and a `name` each")
    return content


def _have(items: Any, *keys: str) -> bool:
    """Whether something is a list of objects with these keys, whose values are numbers or text."""
    return isinstance(items, list) and all(
        isinstance(item, dict) and all(isinstance(item.get(key), int | float | str) for key in keys) for item in items
    )


def read_json(path: Path) -> Any:
    """The content of a file. Raises UserError if it is not JSON."""
    try:
        return _load(path)
    except (ValueError, RecursionError, OSError) as error:
        raise UserError(f"{path}: is not JSON ({error}); export the objects again") from error


def _list(value: Any, where: str) -> Iterable[Any]:
    if not isinstance(value, list):
        raise UserError(f"{where} has no list of coordinates; export the objects again")
    return value


def _points(numbers: Any, where: str) -> Iterable[tuple[Any, Any]]:
    """Points (x, y) of COCO's list x, y, x, y, ..."""
    if not isinstance(numbers, list) or len(numbers) % 2:
        raise UserError(f"{where} has an outline that is not a list of x, y, x, y, ...; export the objects again")
    return zip(numbers[::2], numbers[1::2], strict=True)


def outline(points: Any, where: str, least: int = 3) -> NDArray[np.float64]:
    """A ring (N, 2) of at least three points with finite coordinates, or of the `least` number of points given."""
    try:
        ring = np.array([[float(x), float(y)] for x, y, *_ in points])
    except (TypeError, ValueError) as error:
        raise UserError(f"{where} has a point that is not two numbers; export the objects again") from error
    if len(ring) < least or not np.isfinite(ring).all():
        raise UserError(f"{where} has an outline of {len(ring)} points, or infinite ones; draw it again")
    return ring


def size_of(height: Any, width: Any) -> tuple[int, int] | None:
    """(H, W) of the image that objects were drawn on; None if a file does not state both."""
    return (height, width) if all(isinstance(side, int) and side > 0 for side in (height, width)) else None
