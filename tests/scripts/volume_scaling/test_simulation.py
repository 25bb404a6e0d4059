"""The simulated time of a volume is that of the closed form where a single thing limits it, and never less."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.volume_scaling import report
from scripts.volume_scaling.phases import CPU, GPU, as_it_was, phases
from scripts.volume_scaling.record import Costs
from scripts.volume_scaling.simulation import Phase, closed_form, limits, simulate

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture(scope="module")
def costs() -> Costs:
    return Costs.from_json(json.loads((DOCS / "volume_costs.json").read_text()))


@pytest.mark.parametrize(
    ("phase", "workers", "seconds"),
    [
        (Phase("one task", 1, 2, 4, 8, (16,), (32,), serial=64), 5, 126),
        (Phase("core and network take turns", 12, core=(3,), network=(2,)), 4, 15),
        (Phase("storage", 12, storage=3), 4, 36),
        (Phase("scheduler", 12, scheduler=5), 4, 60),
        (Phase("no task", 0, serial=7), 3, 7),
        (Phase("answers come for three tasks at a time", 12, waiting=10), 2, 20),
    ],
    ids=lambda value: value.name if isinstance(value, Phase) else None,
)
def test_by_hand(phase, workers, seconds):
    assert simulate(phase, workers) == pytest.approx(seconds)


def test_a_network_of_its_own_computes_while_the_core_reads():
    phase = Phase("blocks", 30, core=(2,), network=(5,))
    assert simulate(phase, 1, shared_core=True) == pytest.approx(30 * 7)
    assert simulate(phase, 1, shared_core=False) == pytest.approx(2 + 30 * 5)


def seconds(most: float) -> st.SearchStrategy[float]:
    """Whole milliseconds: what a float holds beside is either the same time or none at all."""
    return st.integers(0, round(1000 * most)).map(lambda milliseconds: milliseconds / 1000)


@settings(deadline=None, max_examples=100)
@given(
    tasks=st.integers(1, 200),
    scheduler=seconds(0.2),
    storage=seconds(0.3),
    waiting=seconds(3),
    core=seconds(3),
    network=seconds(3),
    workers=st.integers(1, 30),
    at_once=st.integers(1, 4),
    shared_core=st.booleans(),
)
def test_nothing_is_faster_than_its_limits(
    tasks, scheduler, storage, waiting, core, network, workers, at_once, shared_core
):
    """And one after the other is the slowest order."""
    phase = Phase("any", tasks, scheduler, storage, waiting, (core,), (network,))
    found = simulate(phase, workers, at_once, shared_core)
    bound = max(limits(phase, workers, at_once, shared_core).values())
    assert bound <= found * (1 + 1e-9)
    assert found <= tasks * (scheduler + storage + waiting + core + network) * (1 + 1e-9)


@pytest.mark.parametrize("machine", [CPU, GPU], ids=["CPU", "GPU"])
@pytest.mark.parametrize("workers", [1, 10, 100])
def test_recorded_costs_agree_with_the_closed_form(costs, machine, workers):
    """On a volume of 200 slices, so that the test is fast; the recorded seconds differ from block to block."""
    found = phases(costs, (200, 10_000, 10_000), report.BLOCK, machine)
    shared = machine.operations is None
    simulated = sum(simulate(phase, workers, shared_core=shared) for phase in found)
    assert simulated == pytest.approx(closed_form(found, workers, shared_core=shared), rel=0.15)


def test_what_was_changed_and_what_could_be_is_faster(costs):
    shape = (200, 10_000, 10_000)
    found = phases(costs, shape, report.BLOCK, GPU)
    now = closed_form(found, 100, shared_core=False)
    assert closed_form(as_it_was(found, 100, report.BLOCKS_OF_SLICE), 100, shared_core=False) > 1.2 * now
    fewer_files = phases(costs, shape, report.BLOCK, GPU, report.CHUNKS_OF_BLOCK)
    assert closed_form(fewer_files, 100, shared_core=False) < now


def test_the_page_has_the_figures_of_the_recorded_costs(costs):
    """The rows of one worker, in closed form, and all that is only counted."""
    page = (DOCS / "scaling.md").read_text()
    for line in report.to_markdown(costs, []).splitlines():
        assert line in page
    for kind, machine in report.KINDS.items():
        found = phases(costs, report.SHAPE, report.BLOCK, machine)
        seconds = closed_form(found, 1, shared_core=machine.operations is None)
        row = next(line for line in page.splitlines() if line.startswith(f"| 1 x {kind} |"))
        days = float(row.split("|")[2].replace(",", "").removesuffix(" days "))
        assert days == pytest.approx(seconds / 86_400, rel=0.1)
