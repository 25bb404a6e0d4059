"""Workers that share a scheduler and a storage: simulated event by event, and in closed form."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SHARED = ("scheduler", "storage")
OWN = ("core", "network")


@dataclass(frozen=True)
class Phase:
    """Tasks that are independent of each other; the next phase begins when the last one is done.

    A task needs, one after the other, the scheduler, the storage, the worker's core, its network, the storage, and the
    scheduler again. Each of them serves one task at a time, in the order of arrival; scheduler and storage are shared
    by all workers. While a worker's network is busy its other tasks are read and written.

    Args:
        name: of the phase.
        tasks: how many.
        scheduler: seconds for a task, half of them before and half of them after.
        storage: seconds of the whole storage for a task, half of them before and half of them after.
        waiting: seconds of a task for answers of the storage, which keep nothing busy.
        core: seconds of one core for each of some recorded tasks, from which those of the others are drawn.
        network: the same for the network; empty: there is none.
        serial: seconds of one process before anything else.
    """

    name: str
    tasks: int
    scheduler: float = 0.0
    storage: float = 0.0
    waiting: float = 0.0
    core: tuple[float, ...] = (0.0,)
    network: tuple[float, ...] = (0.0,)
    serial: float = 0.0


def simulate(phase: Phase, workers: int, at_once: int = 3, shared_core: bool = True, seed: int = 0) -> float:
    """Seconds of a phase, event by event.

    Args:
        phase: the phase.
        workers: how many.
        at_once: tasks that a worker has at a time.
        shared_core: whether the network runs on the worker's core.
        seed: of the draws from the recorded seconds.
    """
    draw = np.random.default_rng(seed)
    core, network = (draw.choice(values, phase.tasks) for values in (phase.core, phase.network))
    free: dict[tuple[str, int], float] = {}
    end, number = phase.serial, min(phase.tasks, workers * at_once)
    # Time of arrival, task, step, worker. The order of tasks that arrive together is that of their numbers.
    events = [(phase.serial, task, 0, task % workers) for task in range(number)]
    heapq.heapify(events)
    while events:
        now, task, step, worker = heapq.heappop(events)
        name, seconds = _step(phase, step, float(core[task]), float(network[task]))
        if name == "network" and shared_core:
            name = "core"
        if name is not None:
            place = (name, 0 if name in SHARED else worker)
            now = free[place] = max(now, free.get(place, 0.0)) + seconds
        else:
            now += seconds
        if step < 6:
            heapq.heappush(events, (now, task, step + 1, worker))
        else:
            end = max(end, now)
            if number < phase.tasks:
                heapq.heappush(events, (now, number, 0, worker))
                number += 1
    return end


def _step(phase: Phase, step: int, core: float, network: float) -> tuple[str | None, float]:
    """What a task needs in its step 0 to 6, and for how many seconds."""
    steps: tuple[tuple[str | None, float], ...] = (
        ("scheduler", phase.scheduler / 2),
        ("storage", phase.storage / 2),
        (None, phase.waiting),
        ("core", core),
        ("network", network),
        ("storage", phase.storage / 2),
        ("scheduler", phase.scheduler / 2),
    )
    return steps[step]


def limits(phase: Phase, workers: int, at_once: int = 3, shared_core: bool = True) -> dict[str, float]:
    """Seconds that a phase takes at least, by what limits it: what it needs of each, over how many there are.

    A worker is limited by its core, its network, or, if answers take longer, by how many tasks it has at a time.
    """
    core, network = float(np.mean(phase.core)), float(np.mean(phase.network))
    alone = phase.scheduler + phase.storage + phase.waiting + core + network
    busy = core + network if shared_core else max(core, network)
    each = max(busy, alone / at_once)
    rounds = max(phase.tasks / workers, 1.0) if phase.tasks else 0.0
    return {
        "workers": phase.serial + max(rounds * each, alone if phase.tasks else 0.0),
        "scheduler": phase.serial + phase.tasks * phase.scheduler,
        "storage": phase.serial + phase.tasks * phase.storage,
        "one process": phase.serial,
    }


def closed_form(phases: Sequence[Phase], workers: int, at_once: int = 3, shared_core: bool = True) -> float:
    """Seconds of all phases, each as long as its tightest limit."""
    return sum(max(limits(phase, workers, at_once, shared_core).values()) for phase in phases)
