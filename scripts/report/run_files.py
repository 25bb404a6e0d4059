"""What evaluation and inference leave in folders, read back for a report."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from custom.data import read_image
from custom.data.labels import instance_classes, parse_class_mask, parse_instance_mask
from custom.errors import UserError


def image_scores(run: Path) -> dict[str, dict[str, float]]:
    """Scores of each image, by file name and measure, as the evaluation left them beside the run."""
    scores: dict[str, dict[str, float]] = {}
    for file in sorted((run / "evaluation").glob("*_raw.csv")):
        with file.open(newline="") as lines:
            for row in csv.reader(lines):
                if row and row[0] != "filename":
                    scores.setdefault(Path(row[0]).name, {})[file.name.removesuffix("_raw.csv")] = float(row[1])
    if not scores:
        raise UserError(f"{run / 'evaluation'}: no scores there; run the evaluation first")
    return scores


def read_classes(item: dict[str, Any]) -> NDArray:
    """Class indices (H, W) of an item's label, 255 where ignored; objects are class 1."""
    path, label_format = Path(item["label"]), item["label_format"]
    if label_format.kind == "classes":
        return parse_class_mask(read_image(path), label_format, path)
    instances = parse_instance_mask(read_image(path), label_format, path)
    return instance_classes(instances)
