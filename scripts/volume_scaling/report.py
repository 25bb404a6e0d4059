"""The figures of the simulation, for `docs/scaling.md`."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt

from custom.files import replace_file

from .phases import CPU, GPU, READ_PRICE, WRITE_PRICE, Machine, phases, storage_calls, stored_bytes
from .phases import as_it_was as formerly
from .record import Costs
from .simulation import Phase, closed_form, limits, simulate

SHAPE, BLOCK = (10_000, 10_000, 10_000), 2048
BLOCKS_OF_SLICE, CHUNKS_OF_BLOCK = 25, 16
WORKERS = (1, 3, 10, 30, 100, 300, 1000)
KINDS = {"CPU core": CPU, "GPU": GPU}
BEGIN, END = "<!-- figures of scripts.volume_scaling -->", "<!-- end of figures -->"
HOUR = 3600.0


@dataclass(frozen=True)
class Row:
    """The simulation of some workers of a kind; times in seconds, `formerly` and `changed` in closed form."""

    kind: str
    workers: int
    seconds: float
    efficiency: float
    dollars: float
    limit: str
    formerly: float
    changed: float


def table(costs: Costs, shape: tuple[int, int, int] = SHAPE, block: int = BLOCK) -> list[Row]:
    """Each kind of worker, each number of them."""
    rows = []
    for kind, machine in KINDS.items():
        alone = 0.0
        for workers in WORKERS:
            found = phases(costs, shape, block, machine)
            seconds = total(found, workers, machine)
            alone = alone or seconds
            own = machine.operations is None
            before = closed_form(formerly(found, workers, BLOCKS_OF_SLICE), workers, shared_core=own)
            sharded = phases(costs, shape, block, machine, CHUNKS_OF_BLOCK)
            after = closed_form(sharded, workers, shared_core=own)
            rows.append(
                Row(
                    kind,
                    workers,
                    seconds,
                    alone / workers / seconds,
                    workers * seconds / HOUR * machine.price,
                    tightest(found, workers, machine),
                    before,
                    after,
                )
            )
    return rows


def total(found: list[Phase], workers: int, machine: Machine) -> float:
    """Simulated seconds of all phases."""
    return sum(simulate(phase, workers, shared_core=machine.operations is None) for phase in found)


def tightest(found: list[Phase], workers: int, machine: Machine) -> str:
    """The phase that takes longest, with what limits it, and its share of the time."""
    bounds = {phase.name: limits(phase, workers, shared_core=machine.operations is None) for phase in found}
    times = {name: max(bound.values()) for name, bound in bounds.items()}
    name = max(times, key=lambda name: times[name])
    what = max(bounds[name], key=lambda what: bounds[name][what])
    # A phase of one process alone is limited by it, which `max` takes for the workers.
    what = "one process" if bounds[name]["one process"] == times[name] else what
    return f"{name}: {what}, {times[name] / sum(times.values()):.0%}"


def to_markdown(costs: Costs, rows: list[Row]) -> str:
    """What was recorded, and the table."""
    voxels = float(np.prod(SHAPE))
    reads, writes = storage_calls(costs, voxels)
    network = float(np.mean(costs.steps["network"].seconds))
    names = [name for name in costs.steps if name != "network"]
    steps = [
        f"| {name} | {1e6 * np.mean(costs.steps[name].seconds):.3f} | {1e6 * costs.steps[name].reads:.1f} | "
        f"{1e6 * costs.steps[name].writes:.1f} | {costs.steps[name].bytes_read:.2f} | "
        f"{costs.steps[name].bytes_written:.2f} |"
        for name in names
    ]
    return "\n".join(
        [
            f"Recorded on {costs.shape[0]} slices of {costs.shape[1]} x {costs.shape[2]} pixels:",
            "",
            "| step | core seconds for 10^6 voxels | reads | writes | bytes read for a voxel | written |",
            "| --- | ---: | ---: | ---: | ---: | ---: |",
            f"| network | {1e6 * network:.3f} | | | | |",
            *steps,
            "",
            _paragraph(
                f"and {1e3 * costs.scheduler:.1f} ms of the scheduling process for a task, {1e3 * costs.journal:.2f} "
                f"ms to note a block, {1e6 * costs.cells:.0f} cells for 10^6 voxels and {1e9 * costs.number:.0f} ns to "
                "number one."
            ),
            "",
            _paragraph(
                f"So 10^12 voxels are {reads / 1e6:.0f} million reads and {writes / 1e6:.0f} million writes of files "
                f"({reads * READ_PRICE + writes * WRITE_PRICE:,.0f} dollars where a store charges for them), "
                f"{stored_bytes(costs, voxels) / 1e12:.1f} TB written, {costs.files * voxels / 1e6:.1f} million files "
                f"of the working array, and {costs.cells * voxels / 1e6:.0f} million cells of single slices."
            ),
            "",
            "| workers | time | efficiency | dollars | longest phase, what limits it, share | before | changed |",
            "| --- | ---: | ---: | ---: | --- | ---: | ---: |",
            *(
                f"| {row.workers:,} x {row.kind} | {duration(row.seconds)} | {row.efficiency:.0%} | "
                f"{row.dollars:,.0f} | {row.limit} | {duration(row.formerly)} | {duration(row.changed)} |"
                for row in rows
            ),
        ]
    )


def _paragraph(text: str) -> str:
    return textwrap.fill(text, 120)


def duration(seconds: float) -> str:
    """Hours below two days, else days."""
    hours = seconds / HOUR
    return f"{hours / 24:,.1f} days" if hours >= 48 else f"{hours:.1f} h"


def insert(page: Path, text: str) -> None:
    """Replace what is between the markers of the page."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    with replace_file(page) as temporary:
        temporary.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


def draw(rows: list[Row], path: Path) -> None:
    """Time over workers, as it is, as it was, and as it could be; dotted without any limit."""
    figure, axes = plt.subplots(1, len(KINDS), figsize=(11, 4), layout="constrained")
    for axis, kind in zip(axes, KINDS, strict=True):
        own = [row for row in rows if row.kind == kind]
        workers = np.array([row.workers for row in own])
        for name, style in (("formerly", "s--"), ("seconds", "o-"), ("changed", "^-.")):
            label = {"formerly": "before", "seconds": "now", "changed": "changed"}[name]
            axis.plot(workers, [getattr(row, name) / HOUR for row in own], style, label=label)
        axis.plot(workers, own[0].changed / HOUR / workers, ":", color="gray", label="linear")
        axis.set(xscale="log", yscale="log", xlabel=f"workers ({kind})", ylabel="hours for 10^12 voxels")
        axis.legend(frameon=False)
    with replace_file(path) as temporary:
        figure.savefig(temporary, dpi=80)
    plt.close(figure)
