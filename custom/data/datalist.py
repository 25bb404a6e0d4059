"""`dataset.json`: which files a data set trains, validates and tests on, and what its mask values mean.

```json
{
  "name": "ISBI 2012 EM",                     // any text
  "description": "...", "licence": "...", "reference": "...",
  "channel": "electron density",              // what a gray value is
  "pixel_size": 0.004,                        // optional: side of a pixel in micrometres
  "channels": {"0": "DNA", "2": "actin"},     // optional: which channels of a file are used, and their names
  "axes": "CYX",                              // optional: what the pages of a TIFF are that does not say it
  "label_kind": "classes",                    // or "instances"
  "labels": {"0": "membrane", "255": "cell"}, // pixel value -> meaning, in the order of the class indices
  "ignore_value": 128,                        // optional: pixels to ignore in losses and metrics
  "training": [{"image": "train/image/00.png", "label": "train/label/00.png"}],
  "validation": [{"image": "...", "label": "..."}],
  "test": [{"image": "..."}]                  // labels of test images are optional
}
```

Paths are relative to the folder of `dataset.json`. Every file holds one image. For `"instances"` the labels are
`{"0": "background", ">0": "cell"}`: each other value is one object. `docs/dataset.md` is the full specification.
"""

from __future__ import annotations

import difflib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np

from ..constants import IGNORED
from ..errors import UserError
from ..json_file import read_json
from .channels import GRAY, as_channel, check_axes
from .image_io import check_image, check_mask, read_item, require_shape
from .labels import LabelFormat, LabelKind, instance_classes, parse_class_mask, parse_instance_mask
from .leaks import content_of, refuse_shared, warn_of_neighbours

FILE_NAME = "dataset.json"
SPLITS = ("training", "validation", "test")
INSTANCE_LABELS = ("0", ">0")
MOST_CLASSES = IGNORED  # class indices end below the one of ignored pixels
_REQUIRED = ("name", "label_kind", "labels", "training", "validation")
_NOT_ABOUT = ("label_kind", "axes")
_OPTIONAL = ("test", "ignore_value", "pixel_size", "channels", "axes", "description", "licence", "reference", "channel")


@dataclass(frozen=True)
class Datalist:
    """A data set: three lists of items for `LoadMicroscopyd`, and what is known about it.

    An item is `{"image": path, "label": path, "label_format": LabelFormat}` with absolute paths, without `label` where
    a test image has none, and with `channel` and `axes` for `read_image` where the file names them. `about` holds name,
    description, licence, reference and the like, as in the file.
    """

    folder: Path
    label_format: LabelFormat
    class_names: tuple[str, ...]
    training: list[dict[str, Any]]
    validation: list[dict[str, Any]]
    test: list[dict[str, Any]]
    about: dict[str, str] = field(default_factory=dict)
    channel_names: tuple[str, ...] = GRAY
    pixel_size: float | None = None
    seen: dict[str, frozenset[int]] = field(default_factory=dict)
    contents: dict[str, str | None] = field(default_factory=dict)

    def contents_of(self, split: str) -> list[str | None]:
        """`content_of` each image of a list; those that were not checked are read."""
        known = self.contents
        return [
            known[item["image"]] if item["image"] in known else content_of(read_item(item))
            for item in getattr(self, split)
        ]

    def all_in_training(self) -> Datalist:
        """The same data set with its validation images among those for training, and none for validation."""
        seen = dict(self.seen)
        if seen:
            seen |= {"training": seen["training"] | seen["validation"], "validation": frozenset()}
        return replace(self, training=self.training + self.validation, validation=[], seen=seen)


def read_dataset(dataset_dir: str | os.PathLike[str], check: bool = True) -> Datalist:
    """Read `dataset.json` of a folder.

    Args:
        dataset_dir: the folder.
        check: decode every image and mask once, to report errors before training starts.

    Raises:
        UserError: folder or `dataset.json` missing, `dataset.json` invalid, a listed file missing, an empty training
            list, an image in the training list and in another one; with `check`, a corrupt file, NaN or Inf, unexpected
            mask values, image and mask of different shape, or equal images in training and another list.
    """
    folder = Path(dataset_dir).absolute()
    content = _read_json(folder)
    label_format, class_names = _read_labels(content, folder / FILE_NAME)
    reading, channel_names = _read_channels(content, folder / FILE_NAME)
    shared = {"label_format": label_format, **reading}
    items = {split: _read_items(content, split, folder, shared) for split in SPLITS}
    if not items["training"]:
        raise UserError(f"{folder / FILE_NAME}: the `training` list is empty; name at least one image and its label")
    contents: dict[str, str | None] = {}
    seen: dict[str, frozenset[int]] = {}
    if check:
        every = [item for split in SPLITS for item in items[split]]
        with ThreadPoolExecutor() as pool:
            # zip re-raises the exception of the first failed item in file order
            checked = list(pool.map(_check_item, every))
        contents = {item["image"]: content for item, (content, _) in zip(every, checked, strict=True)}
        held = iter(checked)
        seen = {split: frozenset[int]().union(*(next(held)[1] for _ in items[split])) for split in SPLITS}
        warn_of_neighbours(items)
    refuse_shared(items, contents, folder / FILE_NAME)
    about = {key: value for key, value in content.items() if isinstance(value, str) and key not in _NOT_ABOUT}
    size = _read_pixel_size(content, folder / FILE_NAME)
    return Datalist(
        folder,
        label_format,
        class_names,
        about=about,
        channel_names=channel_names,
        pixel_size=size,
        seen=seen,
        contents=contents,
        **items,
    )


def write_dataset(
    folder: Path,
    about: dict[str, Any],
    label_kind: LabelKind,
    labels: dict[str, str],
    items: dict[str, list[dict[str, str]]],
    ignore_value: int | None = None,
    channels: dict[str, str] | None = None,
    pixel_size: float | None = None,
) -> None:
    """Write `dataset.json` into a folder. `items` maps splits to lists; missing splits are empty."""
    content: dict[str, Any] = {**about, "label_kind": label_kind, "labels": labels}
    if pixel_size is not None:
        content["pixel_size"] = pixel_size
    if channels is not None:
        content["channels"] = channels
    if ignore_value is not None:
        content["ignore_value"] = ignore_value
    content |= {split: items.get(split, []) for split in SPLITS}
    (folder / FILE_NAME).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _read_json(folder: Path) -> dict[str, Any]:
    path = folder / FILE_NAME
    if not folder.is_dir():
        raise UserError(f"{folder}: no such data set folder; make one with `python -m scripts.prepare_data`")
    if not path.is_file():
        raise UserError(f"{path}: missing; make the data set folder with `python -m scripts.prepare_data`")
    content = read_json(path)
    if not isinstance(content, dict):
        raise UserError(
            f"{path}: holds a {type(content).__name__}; a JSON object with {', '.join(_REQUIRED)} is needed"
        )
    missing = [key for key in _REQUIRED if key not in content]
    if missing:
        raise UserError(f"{path}: lacks {', '.join(missing)}; needed are {', '.join(_REQUIRED)}")
    for key in content:
        if (near := _meant(key)) is not None:
            raise UserError(f"{path}: {key!r} has no effect; did you mean {near!r}?")
    if not isinstance(content["name"], str):
        raise UserError(f"{path}: name is {content['name']!r}; give a text in quotes")
    return content


def _meant(key: str) -> str | None:
    """The key that an unknown one is short for or nearly is; any other is a note of the user's."""
    known = (*_REQUIRED, *_OPTIONAL)
    if key in known:
        return None
    near = [name for name in known if key and name.startswith(key)]
    return next(iter(near or difflib.get_close_matches(key, known, n=1, cutoff=0.75)), None)


def _read_labels(content: dict[str, Any], path: Path) -> tuple[LabelFormat, tuple[str, ...]]:
    kind, labels, ignore = content["label_kind"], content["labels"], content.get("ignore_value")
    if kind not in get_args(LabelKind):
        raise UserError(f'{path}: label_kind is {kind!r}; use "classes" or "instances"')
    if ignore is not None and type(ignore) is not int:
        raise UserError(f"{path}: ignore_value is {ignore!r}; give a pixel value, a whole number")
    if not isinstance(labels, dict) or len(labels) < 2:
        raise UserError(f'{path}: labels is {labels!r}; give two or more, such as {{"0": "membrane", "255": "cell"}}')
    names = tuple(map(str, labels.values()))
    if kind == "instances":
        if tuple(labels) != INSTANCE_LABELS:
            raise UserError(f'{path}: labels of instances are {{"0": "background", ">0": "cell"}}, not {labels!r}')
        return LabelFormat("instances", ignore=ignore), names
    try:
        values = tuple(int(value) for value in labels)
    except ValueError as error:
        raise UserError(
            f"{path}: labels has keys {', '.join(labels)}; each is a pixel value, a whole number"
        ) from error
    if len(set(values)) < len(values) or ignore in values:
        raise UserError(
            f"{path}: labels {', '.join(labels)} and ignore_value {ignore} overlap; each value means one thing"
        )
    if len(values) > MOST_CLASSES:
        raise UserError(f"{path}: declares {len(values)} classes; {MOST_CLASSES} at most are possible")
    if len(values) > 2 and not 0 <= min(values) <= max(values) < 2**16:
        raise UserError(f"{path}: labels {', '.join(labels)} are mask values of 8 or 16 bits; give 0 to 65535")
    return LabelFormat("classes", values, ignore), names


def _read_channels(content: dict[str, Any], path: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    """How the images are read, `channel` and `axes`, and the names of their channels."""
    channels, axes = content.get("channels"), content.get("axes")
    try:
        axes = check_axes(axes)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    reading = {} if axes is None else {"axes": axes}
    if channels is None:
        return reading, GRAY
    names = tuple(map(str, channels.values())) if isinstance(channels, dict) else ()
    numbers = [int(key) for key in channels if key.isdecimal()] if names else []
    if not names or not len(set(numbers)) == len(set(names)) == len(channels):
        raise UserError(
            f"{path}: channels is {channels!r}; give number (from 0) and name of each that is used, such as "
            '{"0": "DNA", "2": "actin"}'
        )
    return {**reading, "channel": as_channel(numbers)}, names


def _read_pixel_size(content: dict[str, Any], path: Path) -> float | None:
    size = content.get("pixel_size")
    if size is None:
        return None
    if isinstance(size, bool) or not isinstance(size, int | float) or not 0 < size < float("inf"):
        raise UserError(f"{path}: pixel_size is {size!r}; give the side of a pixel in micrometres")
    return float(size)


def _read_items(content: dict[str, Any], split: str, folder: Path, shared: dict[str, Any]) -> list[dict[str, Any]]:
    path, entries = folder / FILE_NAME, content.get(split, [])
    if not isinstance(entries, list):
        raise UserError(f'{path}: {split} is a {type(entries).__name__}; give a list of {{"image": ..., "label": ...}}')
    items = []
    for number, entry in enumerate(entries):
        keys = set(entry) if isinstance(entry, dict) else set()
        if not ({"image"} if split == "test" else {"image", "label"}) <= keys <= {"image", "label"}:
            raise UserError(f'{path}: {split}[{number}] is {entry!r}; give {{"image": "PATH", "label": "PATH"}}')
        item: dict[str, Any] = {}
        for key in sorted(keys):
            file = folder / str(entry[key])
            if not file.is_file():
                advice = "write / instead of \\" if "\\" in str(entry[key]) else "fix the path or the list"
                raise UserError(f"{path}: {split}[{number}] names {entry[key]}, which does not exist; {advice}")
            item[key] = str(file)
        if item["image"] == item.get("label"):
            raise UserError(f"{path}: {split}[{number}] names {entry['image']} as image and as label; name its label")
        items.append({**item, **shared})
    return items


def _check_item(item: dict[str, Any]) -> tuple[str | None, frozenset[int]]:
    """`content_of` the image of an item, and the classes in its mask; raises UserError if something is wrong."""
    image = check_image(item["image"], None, item.get("channel"), item.get("axes"))
    if "label" not in item:
        return content_of(image), frozenset()
    path, label_format = Path(item["label"]), item["label_format"]
    mask = check_mask(path)
    require_shape(mask, path, Path(item["image"]), image.shape)
    if label_format.kind == "instances":
        classes = instance_classes(parse_instance_mask(mask, label_format, path))
    else:
        classes = parse_class_mask(mask, label_format, path)
    counts = np.bincount(classes.ravel(), minlength=IGNORED + 1)[:IGNORED]
    return content_of(image), frozenset(np.flatnonzero(counts).tolist())
