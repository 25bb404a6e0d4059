"""Scores as text, JSON and CSV."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

from custom.data.decode import IMAGE_SUFFIXES
from custom.errors import UserError
from custom.files import replace_file

from .measures import Scores


def require_file_name(path: Path) -> None:
    """Raise UserError if the file cannot be written, or has the name of an image."""
    if path.suffix.lower() in IMAGE_SUFFIXES:
        raise UserError(f"{path}: is the name of an image; give one for a table")
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise UserError(f"{path}: cannot be written; give a file name in a folder that exists")


def table(scores: Scores) -> str:
    """The scores as text, a line for each measure."""
    lines = [f"{'measure':<15}{'value':>12}  details"]
    for name, result in scores.items():
        details = ", ".join(f"{key} {number:.6g}" for key, number in result.extras().items())
        lines.append(f"{name:<15}{result.value:>12.6f}  {details}")
    return "\n".join(lines)


def write_json(path: Path, scores: Scores) -> None:
    """Value and further numbers of each measure."""
    content = {name: {"value": result.value, **result.extras()} for name, result in scores.items()}
    with replace_file(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def write_csv(path: Path, names: Sequence[str], scores: Scores) -> None:
    """Scores of each image, at the threshold of the stack; empty where an image has none."""
    columns = [[repr(x) if x == x else "" for x in result.per_image] for result in scores.values()]
    with replace_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["image", *scores])
        writer.writerows(zip(names, *columns, strict=True))
