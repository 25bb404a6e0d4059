"""Scores of a model on perturbed held-out images, compared with those on the original images."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from custom.constants import IGNORED
from custom.files import replace_file
from custom.metrics import pixel_error, seg
from custom.metrics.classes import class_pixel_counts, class_pixel_errors
from scripts.held_out import Example

from .perturbations import MIDDLE, STRENGTHS, Perturbation, magnify_label, to_bytes

TOLERATED = 0.9  # share of the score that should be left at the middle strength


@dataclass(frozen=True)
class Shift:
    """Scores under one perturbation, by strength."""

    perturbation: Perturbation
    scores: tuple[float, ...]


class Judge:
    """Scores examples: SEG where cells are labelled, else 1 - pixel error (of several classes: their mean); 1 is best.

    Args:
        predict: from gray values (C, H, W) to the prediction (see `custom.classes`), (1, H, W) or (K, H, W).
        gray: from the pixels of a file, (H, W) or (H, W, C), to gray values (C, H, W) in [0, 1].
        divide: from gray values (C, H, W) to cells (1, H, W).
        seed: of the noise and of the direction of light, the same for every perturbation.
    """

    def __init__(
        self,
        predict: Callable[[NDArray[np.float32]], NDArray[np.float32]],
        gray: Callable[[NDArray[Any]], NDArray[np.float32]],
        divide: Callable[[NDArray], Any],
        seed: int = 0,
    ) -> None:
        self.predict, self.gray, self.divide, self.seed = predict, gray, divide, seed

    def score(self, examples: Sequence[Example], perturbation: Perturbation | None, strength: float = 0.0) -> float:
        """The score on all examples, changed by `perturbation`; None for the original images."""
        predictions, labels = [], []
        for number, example in enumerate(examples):
            label = example.label if example.instances is None else example.instances
            gray = self.gray(example.pixels)
            if perturbation is not None:
                random = np.random.RandomState(self.seed + number)
                stored = np.moveaxis(to_bytes(perturbation.apply(gray, strength, random)), 0, -1)
                gray = self.gray(stored if stored.shape[-1] > 1 else stored[..., 0])
                if perturbation.magnifies:
                    label = magnify_label(label, strength)
            predictions.append(self.predict(gray) if example.instances is None else np.asarray(self.divide(gray))[0])
            labels.append(label)
        if examples[0].instances is not None:
            return seg(labels, predictions, [label >= 0 for label in labels]).value
        return 1 - _pixel_error(labels, predictions)


def _pixel_error(labels: Sequence[NDArray], predictions: Sequence[NDArray]) -> float:
    """Of class indices (H, W) and predictions (1, H, W) or (K, H, W)."""
    valid = [label != IGNORED for label in labels]
    classes = len(predictions[0])
    if classes == 1:
        return pixel_error([label > 0 for label in labels], [one[0] for one in predictions], valid).value
    counts = [class_pixel_counts(*images) for images in zip(labels, predictions, valid, strict=True)]
    return class_pixel_errors(np.stack(counts), [str(number) for number in range(classes)]).value


def measure(
    judge: Judge, examples: Sequence[Example], perturbations: Sequence[Perturbation]
) -> tuple[float, list[Shift]]:
    """The score on the original images, and all scores on perturbed ones."""
    plain = judge.score(examples, None)
    shifts = [Shift(p, tuple(judge.score(examples, p, s) for s in p.strengths)) for p in perturbations]
    return plain, shifts


def to_json(measure_name: str, plain: float, shifts: Sequence[Shift]) -> dict[str, Any]:
    """All numbers, and for each perturbation the share of the score that is left at the middle strength."""
    return {
        "measure": measure_name,
        "unchanged": plain,
        "perturbations": {
            shift.perturbation.name: {
                "unit": shift.perturbation.unit,
                "strengths": list(shift.perturbation.strengths),
                "scores": list(shift.scores),
                "left_at_middle": shift.scores[MIDDLE] / plain,
            }
            for shift in shifts
        },
    }


def to_markdown(measure_name: str, plain: float, shifts: Sequence[Shift]) -> str:
    """One row for each perturbation; rows that lose more than a tenth at the middle strength are marked."""
    lines = [
        f"{measure_name} of the original images: {plain:.4f}. **Bold**: middle strength below {TOLERATED:.0%}.",
        "",
        "| perturbation | " + " | ".join(map(str, range(1, STRENGTHS + 1))) + " | strengths |",
        "|---" * (STRENGTHS + 2) + "|",
    ]
    for shift in shifts:
        texts = [f"{score:.4f}" for score in shift.scores]
        if shift.scores[MIDDLE] < TOLERATED * plain:
            texts[MIDDLE] = f"**{texts[MIDDLE]}**"
        values = ", ".join(f"{s:g}" for s in shift.perturbation.strengths)
        lines.append(f"| {shift.perturbation.name} | " + " | ".join(texts) + f" | {shift.perturbation.unit} {values} |")
    return "\n".join([*lines, ""])


def draw(measure_name: str, plain: float, shifts: Sequence[Shift], path: Path) -> None:
    """Score against strength, a line per perturbation; the dashed line is the target for the middle strength."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for shift in shifts:
        axes.plot(range(STRENGTHS + 1), [plain, *shift.scores], marker=".", label=shift.perturbation.name)
    axes.axhline(TOLERATED * plain, color="gray", linestyle="--", linewidth=1)
    axes.set(xlabel="strength (0: original)", ylabel=measure_name, ylim=(0, 1))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    with replace_file(path) as temporary:
        figure.savefig(temporary, dpi=150)


def write_report(measure_name: str, plain: float, shifts: Sequence[Shift], folder: Path) -> None:
    """`robustness.json`, `robustness.md` and `robustness.png` in `folder`."""
    with replace_file(folder / "robustness.json") as temporary:
        temporary.write_text(json.dumps(to_json(measure_name, plain, shifts), indent=2) + "\n", encoding="utf-8")
    with replace_file(folder / "robustness.md") as temporary:
        temporary.write_text(to_markdown(measure_name, plain, shifts), encoding="utf-8")
    draw(measure_name, plain, shifts, folder / "robustness.png")
