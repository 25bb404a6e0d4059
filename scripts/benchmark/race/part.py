"""The race as a part of the benchmark: a table and a plot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt

from custom.files import replace_file

from ..results import Cell, Part, Table
from .candidates import CANDIDATES, OWN, Candidate
from .course import Result, Settings, race
from .entrant import CORES

PANELS = {"pixel_error": "pixel error", "v_rand": "V_rand", "v_info": "V_info"}
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
    settings: list[list[Cell]] = [[one.name, one.settings, ", ".join(one.packages)] for one in candidates]
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
            Table("What each was run with", ["", "settings", "installed beside torch"], settings),
        ],
    )


def draw(results: Sequence[Result], path: Path) -> None:
    """Each measure against the minutes."""
    figure, axes = plt.subplots(1, len(PANELS), figsize=(15, 4.2), layout="constrained")
    names = list(dict.fromkeys(result.candidate for result in results))
    own = {candidate.name for candidate in OWN}
    colours = {"own": iter(OWN_COLOURS * 2), "peer": iter(PEER_COLOURS * 2)}
    styles: dict[str, Any] = {
        name: {"color": next(colours["own" if name in own else "peer"]), "linestyle": "-" if name in own else "--"}
        for name in names
    }
    for axis, (measure, title) in zip(axes, PANELS.items(), strict=True):
        for name in names:
            points = sorted((r.minutes, r.scores[measure]) for r in results if r.candidate == name)
            axis.plot(*zip(*points, strict=True), marker="o", markersize=4, label=name, **styles[name])
        axis.set(title=title, xlabel="minutes of two cores", xscale="log")
        if measure == "pixel_error":
            axis.set_yscale("log")
        axis.grid(alpha=0.3)
    axes[0].legend(frameon=False, fontsize=8)
    with replace_file(path) as temporary:
        figure.savefig(temporary, dpi=80)
    plt.close(figure)
