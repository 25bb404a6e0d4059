"""Folds of a prepared data set: contiguous blocks of sections, because neighbours resemble each other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from custom.data.datalist import FILE_NAME, SPLITS
from custom.files import relative_path, replace_file
from custom.json_file import read_json

from ..prepare_data.isbi2012 import FOLDS, hold_out

DEFAULT_FOLD = FOLDS - 1  # what `prepare_data isbi2012` holds out


def read_lists(folder: Path) -> dict[str, Any]:
    """Content of a data set's `dataset.json`."""
    content: dict[str, Any] = read_json(folder / FILE_NAME)
    return content


def relocate(content: dict[str, Any], source: Path, output: Path) -> dict[str, Any]:
    """The lists of the data set in `source` with paths relative to `output`; `content` itself is changed."""
    for split in SPLITS:
        for item in content.get(split, []):
            item.update({key: relative_path(source / path, output) for key, path in item.items()})
    return content


def write_fold(source: Path, output: Path, folds: int, fold: int) -> Path:
    """A data set folder that holds out block `fold` of the labelled images of `source`, in the order of their names.

    It holds a `dataset.json` alone, whose paths lead to the files of `source`.

    Raises:
        UserError: no such fold, or the folder cannot be written.
    """
    content = relocate(read_lists(source), source, output)
    labelled = sorted(content["training"] + content["validation"], key=lambda item: item["image"])
    held_out = hold_out(len(labelled), folds, fold)
    content["training"] = [item for number, item in enumerate(labelled) if number not in held_out]
    content["validation"] = [item for number, item in enumerate(labelled) if number in held_out]
    with replace_file(output / FILE_NAME) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return output


def describe_split(folder: Path) -> str:
    """How many images are trained on and held out, and the names of the latter."""
    content = read_lists(folder)
    names = sorted(Path(item["image"]).stem for item in content["validation"])
    return f"{len(content['training'])} / {len(names)} ({names[0]} to {names[-1]})"
