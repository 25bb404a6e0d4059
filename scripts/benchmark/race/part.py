"""The race as a part of the benchmark: a table and a plot."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path

import torch
from matplotlib import pyplot as plt

from custom.files import replace_file

from ..results import Cell, Part, Table
from .candidates import CANDIDATES, OWN, Candidate
from .course import Result, Settings, race
from .entrant import CORES

INSTALL = (
    "An environment is a folder in `--environments`: `python -m venv FOLDER/NAME`, activate it, then `python -m pip "
    f"install torch=={torch.__version__.split('+')[0]} psutil pillow PACKAGE`, with that torch as a constraint."
)
PANELS = {"pixel_error": "pixel error", "v_rand": "V_rand", "v_info": "V_info"}
ERRORS = {"pixel_error"}
OWN_NAMES = {candidate.name for candidate in OWN}
OWN_COLOURS = ("#d95f02", "#a63603", "#fdae6b")
PEER_COLOURS = ("#1b7837", "#2166ac", "#762a83", "#636363")


def run(settings: Settings, output: Path, candidates: Sequence[Candidate] = CANDIDATES) -> Part:
    """Race, and draw `race.png` into `output`."""
    results = race(candidates, settings)
    draw(results, output / "race.png")
    return make_part(candidates, results)


def make_part(candidates: Sequence[Candidate], results: Sequence[Result]) -> Part:
    """Tables of scores and of settings."""
    by_name = {
        one.name: sorted((r for r in results if r.candidate == one.name), key=lambda r: r.minutes) for one in candidates
    }
    rows: list[list[Cell]] = []
    for name, found in by_name.items():
        rows += [
            [name, round(r.minutes, 1), *(f"{r.scores[m]:.4f}" for m in PANELS), r.steps, round(r.wall_minutes)]
            for r in found
        ] or [[name, *[None] * 6]]
    columns = ["", "minutes", *PANELS.values(), "steps", "minutes by the wall's clock"]
    settings: list[list[Cell]] = [
        [one.name, one.settings, one.environment or "this one", ", ".join(one.packages)] for one in candidates
    ]
    return Part(
        "race",
        "ISBI 2012: sections 0 to 23 to train on, 24 to 29 scored. A minute is "
        f"{60 * CORES} seconds of processor time of all processes of a candidate, computing with one thread: what "
        f"{CORES} otherwise idle cores do in a minute, whatever else the machine does. Everything counts but the "
        "predictions at the marks: imports, preparing the data, validation. Weights are those at the mark; nothing is "
        "chosen by the scored sections. Probabilities are scored as by `scripts.score isbi`, at each measure's best "
        "threshold. Ours follow a schedule over the budget, so that each row is a training of its own; the rows of a "
        "peer are marks of one training.\n\n![Race](race.png)",
        [
            Table("The race", columns, rows),
            Table("What each was run with", ["", "settings", "environment", "packages"], settings, note=INSTALL),
        ],
    )


def draw(results: Sequence[Result], path: Path) -> None:
    """Bars of each measure; errors against minutes, both logarithmic, if candidates have several results."""
    names = list(dict.fromkeys(result.candidate for result in results))
    colours = colours_of(names)
    single = len(results) == len(names)
    figure, axes = plt.subplots(1, len(PANELS), figsize=(15, 4.2), layout="constrained", sharey=single)
    for axis, (measure, title) in zip(axes, PANELS.items(), strict=True):
        if single:
            found = [result.scores[measure] for result in results]
            bars = axis.barh(names, found, color=[colours[name] for name in names])
            axis.bar_label(bars, [f"{value:.3f}" for value in found], padding=3)
            axis.set(title=f"{title}, {min(r.minutes for r in results):.1g} min" if results else title)
            axis.margins(x=0.15)
            axis.yaxis.set_inverted(True)
            continue
        for name in names:
            points = sorted((r.minutes, error(measure, r.scores[measure])) for r in results if r.candidate == name)
            style = "-" if name in OWN_NAMES else "--"
            axis.plot(*zip(*points, strict=True), style, marker="o", markersize=4, label=name, color=colours[name])
        axis.set(title=error_title(measure), xlabel="minutes of two cores", xscale="log", yscale="log")
        axis.xaxis.set_major_formatter("{x:g}")
        axis.yaxis.set_major_formatter("{x:g}")
        axis.yaxis.set_minor_formatter("{x:g}")
        axis.grid(alpha=0.3, which="both")
    if not single:
        figure.legend(*axes[0].get_legend_handles_labels(), frameon=False, loc="outside right upper")
    with replace_file(path) as temporary:
        figure.savefig(temporary, dpi=80)
    plt.close(figure)


def error(measure: str, score: float) -> float:
    """A score as an error, 0 at best."""
    return score if measure in ERRORS else 1 - score


def error_title(measure: str) -> str:
    """What :func:`error` gives."""
    return PANELS[measure] if measure in ERRORS else f"1 - {PANELS[measure]}"


def colours_of(names: Sequence[str]) -> dict[str, str]:
    """Warm colours for ours, others for the peers."""
    own, peers = cycle(OWN_COLOURS), cycle(PEER_COLOURS)
    return {name: next(own if name in OWN_NAMES else peers) for name in names}
