"""The learning curve as JSON, Markdown and a plot."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from custom.files import replace_file

from .extrapolation import FEWEST, PowerLaw, fit

AHEAD = (2, 4)  # times as many images as there are: what to expect of them
GAIN = 0.005  # a smaller difference between one image and all of them is none


@dataclass(frozen=True)
class Point:
    """One training.

    Attributes:
        start: model that it began from; "random weights".
        images: trained on.
        seed: that chose the images.
        score: on the validation images, 1 is best.
    """

    start: str
    images: int
    seed: int
    score: float


def law_of(points: Sequence[Point], start: str) -> PowerLaw | None:
    """The power law of the points of one start."""
    own = [point for point in points if point.start == start]
    return fit([point.images for point in own], [1 - point.score for point in own])


def starts_of(points: Sequence[Point]) -> list[str]:
    """The starts, in the order in which they come."""
    return list(dict.fromkeys(point.start for point in points))


def to_markdown(points: Sequence[Point], measure: str, steps: int) -> str:
    """A row for each start, a column for each number of images, and what more images promise."""
    numbers = sorted({point.images for point in points})
    lines = ["| start | " + " | ".join(f"{n} images" for n in numbers) + " |", "|---" * (len(numbers) + 1) + "|"]
    for start in starts_of(points):
        cells = [[p.score for p in points if (p.start, p.images) == (start, n)] for n in numbers]
        lines.append(f"| {start} | " + " | ".join(map(_cell, cells)) + " |")
    lines += ["", f"{measure} on the validation images after {steps} steps each.", ""]
    for start in starts_of(points):
        lines.append(f"- {start}: {_promise(law_of(points, start), numbers[-1])}")
    return "\n".join([*lines, ""])


def _cell(scores: list[float]) -> str:
    if not scores:
        return ""
    mean = f"{np.mean(scores):.4f}"
    return mean if len(scores) == 1 else f"{mean} ({min(scores):.4f} to {max(scores):.4f})"


def _promise(law: PowerLaw | None, most: int) -> str:
    if law is None:
        return f"no extrapolation from fewer than {FEWEST} numbers of images"
    if law(1) - law(most) < GAIN:
        return "the score does not rise with the number of images: train longer (--steps), or look at the labels"
    return "expected by a power law: " + ", ".join(
        f"{1 - law(times * most):.4f} with {times * most} images" for times in AHEAD
    )


def draw(points: Sequence[Point], measure: str, path: Path) -> None:
    """Scores against the number of images, with the fitted curves reaching as far as is extrapolated."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    most = max(point.images for point in points)
    for number, start in enumerate(starts_of(points)):
        own, color = [point for point in points if point.start == start], f"C{number}"
        axes.plot([p.images for p in own], [p.score for p in own], "o", color=color, label=start)
        law = law_of(points, start)
        if law is not None and law(1) - law(most) >= GAIN:
            n = np.geomspace(1, AHEAD[-1] * most, 100)
            axes.plot(n[n <= most], [1 - law(x) for x in n if x <= most], color=color)
            axes.plot(n[n > most], [1 - law(x) for x in n if x > most], ":", color=color)
    ticks = sorted({point.images for point in points})
    axes.set(xscale="log", xlabel="training images", ylabel=measure)
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend()
    with replace_file(path) as temporary:
        figure.savefig(temporary, dpi=150)


def write_report(points: Sequence[Point], measure: str, steps: int, folder: Path) -> None:
    """`learning_curve.json`, `.md` and `.png` in `folder`."""
    laws = {start: law_of(points, start) for start in starts_of(points)}
    content = {
        "measure": measure,
        "steps": steps,
        "points": [asdict(point) for point in points],
        "power_laws": {start: None if law is None else asdict(law) for start, law in laws.items()},
    }
    with replace_file(folder / "learning_curve.json") as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    with replace_file(folder / "learning_curve.md") as temporary:
        temporary.write_text(to_markdown(points, measure, steps), encoding="utf-8")
    draw(points, measure, folder / "learning_curve.png")
