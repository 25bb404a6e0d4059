"""Score anybody's segmentations with the measures of ISBI 2012 or of the Cell Tracking Challenge.

    python -m scripts.score isbi --pred PATH --label PATH [--ignore VALUE] [--json FILE] [--csv FILE]
    python -m scripts.score ctc  --pred PATH --label PATH [--ignore VALUE] [--json FILE] [--csv FILE]

PATH is an image, a multi-page TIFF, or a folder of them, paired by sorted name. For `isbi`, predictions are foreground
probabilities (float, 0 to 1) or masks, and labels are foreground where they are not 0; for `ctc`, both hold one number
per object.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from custom.data.decode import IMAGE_SUFFIXES
from custom.data.image_io import count_pages, read_image, read_mask
from custom.errors import UserError
from custom.files import replace_file
from custom.metrics import iou, pixel_error, rand_error, seg, v_info, v_rand, warping_error
from custom.metrics.seg import SegScore
from custom.metrics.sweep import Score

ISBI = {
    "pixel_error": pixel_error,
    "iou": iou,
    "rand_error": rand_error,
    "v_rand": v_rand,
    "v_info": v_info,
    "warping_error": warping_error,
}
CTC = {"seg": seg}
Scores = dict[str, Score] | dict[str, SegScore]


@dataclass(frozen=True)
class Page:
    """One page of an image file."""

    path: Path
    number: int
    name: str


def find_pages(source: Path) -> list[Page]:
    """All pages of an image file, or of the images in a folder in the order of their names.

    Raises:
        UserError: nothing there, or a file that cannot be read.
    """
    if source.is_dir():
        files = sorted(file for file in source.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES)
    else:
        files = [source]
    if not files:
        raise UserError(f"{source}: no image in this folder; give PNG or TIFF files")
    counts = {file: count_pages(file) for file in files}
    return [Page(f, i, f.name if n == 1 else f"{f.name}[{i}]") for f, n in counts.items() for i in range(n)]


def read_probability(page: Page) -> NDArray:
    """Foreground probability (H, W) in [0, 1]: a float image as it is, a mask of 0 and 1 or of 8 bits, 0 and 255.

    Raises:
        UserError: values that are neither, NaN, colours.
    """
    image = read_image(page.path, page.number)
    if image.ndim == 3:
        image = read_mask(page.path, page.number)
    low, high = image.min(), image.max()
    if image.dtype.kind == "f":
        if low < 0 or high > 1:
            raise UserError(f"{page.path}: has values from {low} to {high}; give probabilities in [0, 1]")
        return image
    top = 255 if image.dtype == np.uint8 and high == 255 else 1
    if not np.isin(image, (0, top)).all():
        raise UserError(
            f"{page.path}: {image.dtype} with values from {low} to {high} is no mask (0 and 1, or 8 bits with 0 and "
            "255); give probabilities as float in [0, 1]"
        )
    return image == top


def read_objects(page: Page) -> NDArray:
    """Numbers of the objects, (H, W); raises UserError as `read_mask`."""
    return read_mask(page.path, page.number)


def read_stacks(pred: Path, label: Path, read: Callable[[Page], NDArray]) -> tuple[list[str], list[NDArray], list]:
    """Names of the predictions, predictions and labels, paired in order; each (H, W), the pairs of equal shapes.

    Raises:
        UserError: different numbers of images, different shapes, or a file that cannot be read.
    """
    predictions, labels = find_pages(pred), find_pages(label)
    if len(predictions) != len(labels):
        raise UserError(f"{pred} has {len(predictions)} images, {label} has {len(labels)}; give one label for each")
    stacks: tuple[list[NDArray], list[NDArray]] = ([], [])
    for ours, theirs in zip(predictions, labels, strict=True):
        image, truth = read(ours), read_mask(theirs.path, theirs.number)
        if image.shape != truth.shape:
            raise UserError(
                f"{ours.path}: has shape {image.shape}, its label {theirs.path} {truth.shape}; make them equal"
            )
        stacks[0].append(image)
        stacks[1].append(truth)
    return [page.name for page in predictions], *stacks


def score(challenge: str, predictions: list[NDArray], labels: list[NDArray], ignore: int | None) -> Scores:
    """All measures of a challenge, by name.

    Raises:
        UserError: nothing to score: all pixels are ignored, or there is no reference object.
    """
    valid = None if ignore is None else [label != ignore for label in labels]
    if valid is not None and not any(mask.any() for mask in valid):
        raise UserError(f"--ignore {ignore}: leaves no pixel of the labels; name the value of unlabelled pixels")
    if challenge == "isbi":
        return {name: measure(labels, predictions, valid) for name, measure in ISBI.items()}
    scores = {name: measure(labels, predictions, valid) for name, measure in CTC.items()}
    if scores["seg"].objects == 0:
        raise UserError("--label: has no object; SEG needs at least one reference object")
    return scores


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
        temporary.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")


def write_csv(path: Path, names: Sequence[str], scores: Scores) -> None:
    """Scores of each image, at the threshold of the stack; empty where an image has none."""
    columns = [[repr(x) if x == x else "" for x in result.per_image] for result in scores.values()]
    with replace_file(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", *scores])
        writer.writerows(zip(names, *columns, strict=True))


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m scripts.score", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("challenge", choices=("isbi", "ctc"), help="whose measures")
    parser.add_argument("--pred", type=Path, required=True, help="predictions: folder, image or multi-page TIFF")
    parser.add_argument("--label", type=Path, required=True, help="labels: folder, image or multi-page TIFF")
    parser.add_argument("--ignore", type=int, metavar="VALUE", help="value of label pixels to leave out")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the scores here")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write the scores of each image here")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Score what the command line names; returns the exit code, 2 for bad input."""
    options = parse(arguments)
    try:
        for target in filter(None, (options.json, options.csv)):
            if target.is_dir() or not target.absolute().parent.is_dir():
                raise UserError(f"{target}: cannot be written; give a file name in a folder that exists")
        read = read_probability if options.challenge == "isbi" else read_objects
        names, predictions, labels = read_stacks(options.pred, options.label, read)
        scores = score(options.challenge, predictions, labels, options.ignore)
        print(table(scores))
        if options.json:
            write_json(options.json, scores)
        if options.csv:
            write_csv(options.csv, names, scores)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
