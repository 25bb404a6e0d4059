"""The race as a part of the benchmark: a table and a plot."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import torch
from matplotlib import pyplot as plt
from matplotlib.ticker import LogLocator, NullLocator

from custom.files import replace_file

from ..results import Cell, Part, Table
from .candidates import CANDIDATES, OWN, Candidate
from .course import Result, Settings, lay_out, race
from .entrant import CORES

INSTALL = (
    "An environment is a folder in `--environments`: `python -m venv FOLDER/NAME`, activate it, then `python -m pip "
    f"install torch=={torch.__version__.split('+')[0]} psutil pillow PACKAGE`, with that torch as a constraint."
)
PANELS = {"pixel_error": "pixel error", "v_rand": "V_rand", "v_info": "V_info"}
ERRORS = {"pixel_error"}
NO_RESULT = "-"  # no environment, or it failed
SAME_BUDGET = 0.1  # relative: a mark is passed by less than a step
OWN_NAMES = {candidate.name for candidate in OWN}
OWN_COLOURS = ("#d95f02", "#a63603", "#fdae6b")
PEER_COLOURS = ("#1b7837", "#2166ac", "#762a83", "#636363")


def run(
    settings: Settings,
    output: Path,
    candidates: Sequence[Candidate] = CANDIDATES,
    earlier: Part | None = None,
    racing: Sequence[str] = (),
) -> Part:
    """Race, and draw `race.png` into `output`.

    Args:
        settings: what is raced.
        output: folder of the report.
        candidates: all that are reported.
        earlier: a race reported before. If it was of such data, its results stay unless a new one replaces them.
        racing: names of those that race now; none: all.
    """
    data = lay_out(settings)
    new = race([one for one in candidates if not racing or one.name in racing], settings)
    scheduled = {one.name for one in candidates if one.scheduled}
    before = results_of(earlier) if earlier and earlier.about.startswith(data) else ()
    results = [*(old for old in before if not is_replaced(old, new, scheduled)), *new]
    draw(results, output / "race.png")
    return make_part(data, candidates, results)


def is_replaced(old: Result, new: Sequence[Result], scheduled: set[str]) -> bool:
    """Whether the candidate ran again; one with a schedule, whose budgets are a training each, with this budget."""
    return any(
        one.candidate == old.candidate
        and (old.candidate not in scheduled or math.isclose(one.minutes, old.minutes, rel_tol=SAME_BUDGET))
        for one in new
    )


def results_of(part: Part) -> Iterator[Result]:
    """The results in the first table of :func:`make_part`, rounded as there."""
    for name, minutes, *scores, steps, wall_minutes in part.tables[0].rows:
        if minutes != NO_RESULT:
            values: list[Any] = [float(str(score)) for score in scores]
            by_measure = dict(zip(PANELS, values, strict=True))
            yield Result(str(name), float(str(minutes)), float(str(wall_minutes)), int(str(steps)), by_measure)


def make_part(data: str, candidates: Sequence[Candidate], results: Sequence[Result]) -> Part:
    """Tables of scores and of settings; `data`: what was raced on."""
    by_name = {
        one.name: sorted((r for r in results if r.candidate == one.name), key=lambda r: r.minutes) for one in candidates
    }
    rows: list[list[Cell]] = []
    for name, found in by_name.items():
        rows += [
            [name, round(r.minutes, 1), *(f"{r.scores[m]:.4f}" for m in PANELS), r.steps, round(r.wall_minutes)]
            for r in found
        ] or [[name, *[NO_RESULT] * 6]]
    columns = ["", "minutes", *PANELS.values(), "steps", "minutes by the wall's clock"]
    settings: list[list[Cell]] = [
        [one.name, one.settings, one.environment or "this one", ", ".join(one.packages)] for one in candidates
    ]
    return Part(
        "race",
        f"{data} A minute is {60 * CORES} seconds of processor time of all processes of a candidate, computing with "
        f"one thread: what {CORES} otherwise idle cores do in a minute, whatever else the machine does. Everything "
        "counts but the predictions at the marks: imports, preparing the data, validation. Weights are those "
        "at the mark; nothing is chosen by the scored images. Probabilities are scored as by `scripts.score isbi`, at "
        "each measure's best threshold. Ours follow a schedule over the budget, so that each row is a training of its "
        "own; the rows of a peer are marks of one training.\n\n![Race](race.png)",
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
    budgets = budgets_of(results)
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
        axis.set_xticks(budgets, [f"{minutes:.2g}" for minutes in budgets], minor=False)
        axis.xaxis.set_minor_locator(NullLocator())
        axis.yaxis.set_minor_locator(LogLocator(subs=(2, 5)))
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


def budgets_of(results: Sequence[Result]) -> list[float]:
    """The least minutes of each budget, ascending; candidates pass a mark by less than a step each."""
    budgets: list[float] = []
    for minutes in sorted(result.minutes for result in results):
        if not budgets or minutes > (1 + SAME_BUDGET) * budgets[-1]:
            budgets.append(minutes)
    return budgets
