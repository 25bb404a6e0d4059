"""What evaluation and inference leave in folders, read back for a report."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from custom.data import GrayRule, read_image, read_item, read_mask
from custom.data.channels import as_picture, count_of
from custom.data.gray import gray_rules
from custom.data.image_io import count_channels
from custom.data.labels import instance_classes, parse_class_mask, parse_instance_mask
from custom.errors import UserError
from custom.handlers.save import MASK_SUFFIXES
from custom.model import MODEL_FILE
from custom.report.facts import read_label
from custom.report.layers import Picture

OLDER = 60.0  # seconds; less may come from copying the folders


def warn_of_older(run: Path, results: Sequence[Path]) -> None:
    """Warn if results were written before the model of the run was, so that they may be another model's.

    Args:
        run: output folder of a training; without a model in it, nothing is compared.
        results: files; missing ones are skipped.
    """
    model = run / MODEL_FILE
    if not model.is_file():
        return
    written = model.stat().st_mtime
    older = [file for file in results if file.is_file() and file.stat().st_mtime < written - OLDER]
    if older:
        warnings.warn(
            f"{older[0]} is older than {model}: the report may show another model; evaluate and segment again",
            stacklevel=2,
        )


def image_scores(run: Path, split: str) -> dict[str, dict[str, float]]:
    """Scores of each image, by file name and measure, as the evaluation of a split left them; may be empty."""
    scores: dict[str, dict[str, float]] = {}
    for file in sorted((run / "evaluation" / split).glob("*_raw.csv")):
        for name, value in _read_table(file):
            if name != "filename":
                scores.setdefault(Path(name).name, {})[file.name.removesuffix("_raw.csv")] = value
    return scores


def overall_scores(run: Path, split: str) -> dict[str, float]:
    """Measures over all images that the evaluation of a split scored, with their thresholds; empty without one."""
    file = run / "evaluation" / split / "metrics.csv"
    if not file.is_file():
        return {}
    return dict(_read_table(file))


def _read_table(file: Path) -> list[tuple[str, float]]:
    """Name and last value of each row, the mean if there are several; NaN for the titles."""
    try:
        if not file.is_file():  # opening a pipe would wait for its writer
            raise UserError(f"{file}: is not a file; remove it, and evaluate again")
        with file.open(newline="", encoding="utf-8") as lines:
            rows = [row for row in csv.reader(lines) if row]
        return [(row[0], float("nan" if row[0] == "filename" else row[-1])) for row in rows]
    except (OSError, ValueError, IndexError, csv.Error) as error:
        raise UserError(f"{file}: not a table of scores ({error}); evaluate again") from error


def read_classes(item: dict[str, Any]) -> NDArray:
    """Class indices (H, W) of an item's label, 255 where ignored; objects are class 1."""
    path, label_format = Path(item["label"]), item["label_format"]
    if label_format.kind == "classes":
        return parse_class_mask(read_mask(path), label_format, path)
    instances = parse_instance_mask(read_mask(path), label_format, path)
    return instance_classes(instances)


def read_picture(item: dict[str, Any], segmentations: Path, objects: bool, scores: dict[str, float]) -> Picture:
    """An image of a data set with what inference wrote for it.

    Args:
        item: of a data list; `label` may be missing.
        segmentations: output folder of inference, with `probabilities` and `masks` (`instances`, if `objects`).
        objects: read the predicted objects, not the mask.
        scores: of this image, by measure.

    Raises:
        UserError: a file is missing, or has another size than the image.
    """
    path = Path(item["image"])
    pixels = read_item(item)
    rule = gray_rules([GrayRule()] * count_of(item.get("channel")))
    gray = as_picture(rule.planes(pixels, str(path)))
    files = {
        "probability": segmentations / "probabilities" / f"{path.stem}.tif",
        "prediction": prediction_file(path, segmentations, objects),
    }
    planes = {}
    for name, file in files.items():
        if not file.is_file():
            raise UserError(
                f"{file}: missing; segment the images of the split with --save \"['mask','probability','instance']\""
            )
        planes[name] = read_mask(file) if name == "prediction" else read_probability(file)
        if planes[name].shape[-2:] != gray.shape[:2]:
            raise UserError(f"{file}: is {planes[name].shape}, the image {path} is {gray.shape}; segment that image")
    label = read_label(item) if "label" in item else None
    prediction = planes["prediction"].astype(np.int64)
    if planes["probability"].ndim == 3 and not objects and "label_format" in item:
        prediction = parse_class_mask(planes["prediction"], item["label_format"], files["prediction"]).astype(np.int64)
    return Picture(path.name, gray, planes["probability"], prediction, label, scores)


def read_probability(file: Path) -> NDArray:
    """A file of probabilities: (H, W) of the foreground, or (K, H, W) of more than two classes."""
    count = count_channels(file)
    return read_image(file) if count == 1 else np.moveaxis(read_image(file, channel=tuple(range(count))), -1, 0)


def prediction_file(image: Path, segmentations: Path, objects: bool) -> Path:
    """What inference wrote for an image: its instances, or its mask in any format."""
    if objects:
        return segmentations / "instances" / f"{image.stem}.tif"
    masks = [segmentations / "masks" / f"{image.stem}{suffix}" for suffix in MASK_SUFFIXES]
    return next((file for file in masks if file.is_file()), masks[0])
