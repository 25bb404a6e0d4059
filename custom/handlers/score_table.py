"""What an evaluation says on the console: a table of its scores."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ignite.engine import Engine, Events

OF_CLASSES = ("iou", "dice", "pixel_error")  # of more than two classes, they are means
AT_GIVEN_THRESHOLD = ("iou", "dice")  # the others are swept, and take the best threshold on the images scored
AT_ANOTHER = "_at_pixel_error_threshold"
_HEAD = ("measure", "score", "best is", "threshold", "what it says")


class ScoreTable:
    """Handler of an evaluator: logs each measure with its threshold and meaning when the run ends.

    Args:
        output_dir: folder of the scores as files, named in the first line.
        classes: names of the classes; of two, the second is the foreground.
    """

    def __init__(self, output_dir: str | os.PathLike[str], classes: Sequence[str] = ()) -> None:
        self.output_dir, self.classes = Path(output_dir), classes
        self.logger = logging.getLogger("evaluation")

    def attach(self, evaluator: Engine) -> None:
        """Log at the end of the run."""
        evaluator.add_event_handler(Events.COMPLETED, self)

    def __call__(self, evaluator: Engine) -> None:
        state: Any = evaluator.state
        rows: list[tuple[str, ...]] = [_HEAD, *_rows(state.metrics, self.classes)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
        lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        self.logger.info("\n".join([f"scores; those of each image are in {self.output_dir}", "", *lines, ""]))


def _rows(metrics: Mapping[str, float], classes: Sequence[str]) -> list[tuple[str, ...]]:
    from ..report.advice import MEASURES  # a training starts without the report's libraries

    places = {name: place for place, name in enumerate(MEASURES)}
    bases = {name: _base(name, metrics) for name in metrics}
    rows: list[tuple[str, ...]] = []
    for name in sorted(metrics, key=lambda name: (places.get(bases[name], len(places)), name != bases[name])):
        base = bases[name]
        if name == f"{base}_threshold":
            continue
        title, higher, meaning = MEASURES.get(base, (base, None, ""))
        threshold = _threshold(name, base, metrics)
        is_count = isinstance(metrics[name], int)
        best = "" if higher is None or is_count else "1" if higher else "0"
        score = f"{metrics[name]:,}" if is_count else f"{float(metrics[name]):.4f}"
        rows.append((title + _of(name, base, classes), score, best, threshold, "" if name != base else meaning))
    return rows


def _base(name: str, metrics: Mapping[str, float]) -> str:
    """The measure that a number belongs to: `iou` of `iou_nucleus`."""
    return min((base for base in metrics if name == base or name.startswith(f"{base}_")), key=len)


def _threshold(name: str, base: str, metrics: Mapping[str, float]) -> str:
    """The threshold of a number, and where it comes from; empty if it is of none, or of one for each class."""
    if name.endswith(AT_ANOTHER):
        base, source = "pixel_error", "the pixel error's"
    else:
        source = "the model's" if base in AT_GIVEN_THRESHOLD else "the best here"
    return f"{metrics[f'{base}_threshold']:.2f}, {source}" if f"{base}_threshold" in metrics else ""


def _of(name: str, base: str, classes: Sequence[str]) -> str:
    if name != base:
        return ", " + name.removeprefix(f"{base}_").replace("_", " ")
    if len(classes) > 2 and base in OF_CLASSES:
        return f", mean of {len(classes)} classes"
    return f", {classes[1]}" if len(classes) == 2 and base in AT_GIVEN_THRESHOLD else ""
