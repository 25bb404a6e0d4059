"""The report: Markdown tables and one figure."""

from __future__ import annotations

from pathlib import Path

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter

from custom.files import replace_file

from .results import MISSING, Cell, Part, Table

TRIED = Path(__file__).with_name("tried.md")  # measured once, by hand
OWN_COLOUR, PEER_COLOUR = "#d95f02", "#7f8fa6"
OWN_WORDS = ("RandElasticGrid", "WeightMap", "OverlapTileInferer", "tiles")


def write_text(path: Path, text: str) -> None:
    """Write a file atomically."""
    with replace_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def number(value: Cell) -> str:
    """A number with three digits, without exponent where possible."""
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    if value == 0 or 1e-3 <= abs(value) < 100:
        return f"{value:.3g}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1e}"


def grid(columns: list[str], rows: list[list[str]]) -> list[str]:
    lines = [columns, ["---", *["---:"] * (len(columns) - 1)], *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def table_lines(table: Table) -> list[str]:
    rows = [
        [*(number(cell) for cell in row[:1]), *([MISSING] + [""] * (len(row) - 2))]
        if all(cell is None for cell in row[1:])
        else [number(cell) for cell in row]
        for row in table.rows
    ]
    return [f"### {table.title}", "", *grid(table.columns, rows), "", *([table.note, ""] if table.note else [])]


def part_lines(part: Part) -> list[str]:
    lines = [f"## {part.name.replace('_', ' ').capitalize()}", "", part.about, ""]
    if part.load is not None:
        lines += [f"The machine's load before was {part.load:.1f}.", ""]
    for table in part.tables:
        lines += table_lines(table)
    if part.checks:
        rows = [[c.what, number(c.value), number(c.bound), "yes" if c.met else "NO"] for c in part.checks]
        lines += ["### Do the results agree?", "", *grid(["", "found", "at most", "agrees"], rows), ""]
    return lines


def floor_lines(parts: list[Part]) -> list[str]:
    """The required speeds, and whether they are met."""
    rows = [
        [
            part.name.replace("_", " "),
            floor.what,
            number(floor.value),
            f"{'at most' if floor.at_most else 'at least'} {number(floor.bound)}",
            "yes" if floor.met else "NO" + (f": limited by {floor.limit}" if floor.limit else ""),
        ]
        for part in parts
        for floor in part.floors
    ]
    return grid(["part", "what", "measured", "floor", "met"], rows) if rows else ["No floor was measured."]


def to_markdown(machine: dict[str, str], parts: list[Part], shortened: bool) -> str:
    """The whole report."""
    warning = ["Shortened run: smaller sizes and fewer rounds. Not for quoting.", ""] if shortened else []
    lines = [
        "# Benchmark",
        "",
        "Written by `python -m scripts.benchmark`. Candidates take turns of at least 0.1 s in one process; times are "
        "medians over the rounds, ratios the medians of the ratios of each round. One thread is timed by the "
        "processor's clock, several by the wall's.",
        "",
        *warning,
        *(f"- {name}: {value}" for name, value in machine.items()),
        "",
        "![Benchmark](benchmark.png)",
        "",
        "## Floors",
        "",
        *floor_lines(parts),
        "",
    ]
    for part in parts:
        lines += part_lines(part)
    return "\n".join([*lines, TRIED.read_text(encoding="utf-8")]).rstrip() + "\n"


def draw(parts: list[Part], path: Path) -> None:
    """One panel for each table that has a chart."""
    tables = [table for part in parts for table in part.tables if table.chart]
    rows = max(1, -(-len(tables) // 2))
    figure, axes = plt.subplots(rows, 2, figsize=(18, 3.6 * rows), layout="constrained", squeeze=False)
    for axis, table in zip(axes.flat, tables, strict=False):
        (draw_bars if table.chart == "bars" else draw_lines)(axis, table)
        axis.set_title(table.title, fontsize=10)
    for axis in axes.flat[len(tables) :]:
        axis.remove()
    with replace_file(path) as temporary:
        figure.savefig(temporary, dpi=80)
    plt.close(figure)


def draw_bars(axis: Axes, table: Table) -> None:
    rows = [row for row in reversed(table.rows) if row[1] is not None]
    names = [str(row[0]) for row in rows]
    values = [float(row[1]) for row in rows if row[1] is not None]
    colours = [OWN_COLOUR if name.startswith(OWN_WORDS) else PEER_COLOUR for name in names]
    bars = axis.barh(names, values, color=colours)
    axis.bar_label(bars, [number(value) for value in values], padding=3, fontsize=8)
    axis.set(xlabel=table.columns[1], xscale="log")
    axis.margins(x=0.2)
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.tick_params(labelsize=8)


def draw_lines(axis: Axes, table: Table) -> None:
    for column, name in enumerate(table.columns[1:], start=1):
        points = [(row[0], row[column]) for row in table.rows if row[column] is not None]
        if name != "cells" and points:
            axis.plot(*zip(*points, strict=True), marker="o", markersize=4, label=name)
    axis.set(xlabel=table.columns[0], xscale="log", yscale="log")
    axis.set_xticks([float(row[0] or 0) for row in table.rows], [number(row[0]) for row in table.rows])
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.legend(frameon=False, fontsize=8)
