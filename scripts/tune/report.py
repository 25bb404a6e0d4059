"""The outcome of a search as JSON, Markdown and a picture of the trade-off."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from custom.files import replace_file

from .search import THRESHOLDS, TOLERANCE, Search, Setting


@dataclass(frozen=True)
class Outcome:
    """What a search found.

    Attributes:
        before: setting of the model as it was, with its SEG on all images.
        best: setting chosen on all images, with its SEG on them.
        cross_validated: SEG of settings chosen without the image; NaN for a single image.
        chosen: those settings, one for each image.
        names: of the images.
        per_image: SEG of each image with `best`.
    """

    before: tuple[Setting, float]
    best: tuple[Setting, float]
    cross_validated: float
    chosen: list[Setting]
    names: list[str]
    per_image: list[float]


def run_search(search: Search, names: list[str]) -> Outcome:
    """Choose on all images, and estimate by leaving out one at a time what the choice is worth."""
    images = range(len(names))
    best = search.choose(images)
    value, chosen = search.cross_validated()
    return Outcome(
        before=(search.own, search.seg(search.own, images)),
        best=(best, search.seg(best, images)),
        cross_validated=value,
        chosen=chosen,
        names=names,
        per_image=[search.seg(best, [i]) for i in images],
    )


def to_json(outcome: Outcome, search: Search) -> dict[str, Any]:
    """All numbers; `null` where there is none."""
    images = range(len(outcome.names))
    return {
        "before": {**asdict(outcome.before[0]), "seg": outcome.before[1]},
        "best": {**asdict(outcome.best[0]), "seg": outcome.best[1]},
        "seg_cross_validated": None if math.isnan(outcome.cross_validated) else outcome.cross_validated,
        "chosen_without": dict(zip(outcome.names, map(asdict, outcome.chosen), strict=False)),
        "seg_per_image": dict(zip(outcome.names, outcome.per_image, strict=True)),
        "tried": [{**asdict(setting), "seg": search.seg(setting, images)} for setting in search.known],
    }


def to_markdown(outcome: Outcome, search: Search) -> str:
    """SEG for each threshold and method, and the choice."""
    images = range(len(outcome.names))
    curves = search.curves()
    thresholds = [f"{threshold:g}" for threshold in THRESHOLDS]
    lines = ["| method | " + " | ".join(thresholds) + " |", "|---" * (len(thresholds) + 1) + "|"]
    for name, settings in curves.items():
        lines.append(f"| {name} | " + " | ".join(f"{search.seg(s, images):.4f}" for s in settings) + " |")
    if math.isnan(outcome.cross_validated):
        expected = "what to expect on another image: not known, because no second image has cells"
    else:
        expected = f"chosen on all other images, scored on the one left out: SEG {outcome.cross_validated:.4f}"
    return "\n".join(
        [
            *lines,
            "",
            f"- before: {outcome.before[0]}: SEG {outcome.before[1]:.4f}",
            f"- chosen: {outcome.best[0]}: SEG {outcome.best[1]:.4f} (differences up to {TOLERANCE} count for nothing)",
            f"- {expected}",
            "",
        ]
    )


def draw(outcome: Outcome, search: Search, path: Path) -> None:
    """SEG against the threshold, a line for each method, sigma and height; the choice as a star."""
    images = range(len(outcome.names))
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    blues = mpl.colormaps["viridis"]
    curves = search.curves()
    for i, (name, settings) in enumerate(curves.items()):
        color, width = ("black", 2) if i == 0 else (blues(i / len(curves)), 1)
        values = [search.seg(s, images) for s in settings]
        axes.plot([s.threshold for s in settings], values, marker=".", color=color, linewidth=width, label=name)
    setting, value = outcome.best
    axes.plot(setting.threshold, value, "*", markersize=14, color="crimson", label="chosen, with grow and min_size")
    axes.set(xlabel="threshold of the probability", ylabel="SEG", title=f"{len(outcome.names)} held-out images")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7)
    with replace_file(path) as temporary:
        figure.savefig(temporary, dpi=150)


def write_report(outcome: Outcome, search: Search, folder: Path) -> None:
    """`tune.json`, `tune.md` and `tune.png` in `folder`."""
    with replace_file(folder / "tune.json") as temporary:
        temporary.write_text(json.dumps(to_json(outcome, search), indent=2) + "\n", encoding="utf-8")
    with replace_file(folder / "tune.md") as temporary:
        temporary.write_text(to_markdown(outcome, search), encoding="utf-8")
    draw(outcome, search, folder / "tune.png")
