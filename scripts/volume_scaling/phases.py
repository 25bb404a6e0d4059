"""The phases of a volume's segmentation, from recorded costs and an assumed machine."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from .record import Costs, Step
from .simulation import Phase


@dataclass(frozen=True)
class Machine:
    """What is assumed of workers and storage.

    Args:
        bandwidth: bytes a second of the shared storage.
        calls: reads and writes of files a second that it answers.
        latency: seconds until it answers one.
        together: calls that a task has under way at a time; Zarr's default is 10.
        operations: a second of a worker's network; None: as recorded, on the worker's core.
        price: of a worker for an hour, in dollars.
    """

    bandwidth: float = 10e9
    calls: float = 20_000.0
    latency: float = 1e-3
    together: int = 10
    operations: float | None = None
    price: float = 0.05


CPU = Machine()
GPU = Machine(operations=100e12, price=3.0)
READ_PRICE, WRITE_PRICE = 0.4e-6, 5e-6  # dollars for a call, where a store charges for them


def phases(costs: Costs, shape: tuple[int, int, int], block: int, machine: Machine) -> list[Phase]:
    """The phases of `scripts.segment_volume --instances --link_z --scheduler ADDRESS` on a volume (Z, H, W)."""
    depth, height, width = shape
    plane = height * width
    blocks = depth * math.ceil(height / block) * math.ceil(width / block)
    voxels = depth * plane / blocks
    network = costs.steps["network"].seconds
    if machine.operations is not None:
        network = [costs.operations / machine.operations]

    def phase(name: str, tasks: int, size: float, journal: float = 0.0) -> Phase:
        step = costs.steps[name]
        moved = (step.bytes_read + step.bytes_written) / machine.bandwidth
        calls = step.reads + step.writes
        return Phase(
            name=name,
            tasks=tasks,
            scheduler=costs.scheduler + journal,
            storage=size * max(moved, calls / machine.calls),
            waiting=size * calls * machine.latency / machine.together,
            core=tuple(size * seconds for seconds in step.seconds),
        )

    numbers = phase("numbers", depth, plane)
    working = costs.files * depth * plane * machine.latency
    listing = costs.folders * depth * plane * machine.latency
    return [
        phase("gray values", depth, plane),
        replace(phase("blocks", blocks, voxels, costs.journal), network=tuple(voxels * s for s in network)),
        phase("instances", depth, plane),
        phase("links", depth - 1, plane),
        replace(numbers, scheduler=numbers.scheduler + plane * costs.cells * costs.number),
        phase("pyramids", depth, plane),
        Phase("clean-up", 0, serial=working + listing),
    ]


def as_it_was(found: list[Phase], costs: Costs, workers: int, blocks_of_slice: int) -> list[Phase]:
    """Before the percentiles were measured once, and before the workers built the pyramids."""
    repeated = min(workers, blocks_of_slice)
    changed = []
    for phase in found:
        if phase.name == "gray values":
            changed.append(replace(phase, tasks=phase.tasks * repeated))
        elif phase.name == "pyramids":
            alone = sum(phase.core) / len(phase.core) + phase.storage + phase.waiting
            changed.append(Phase("pyramids", 0, serial=phase.tasks * alone))
        else:
            changed.append(phase)
    return changed


def as_it_could_be(found: list[Phase], costs: Costs, journal: int = 100) -> list[Phase]:
    """The working array removed by the workers, no search for left files, the journal synced every `journal` blocks."""
    less = costs.journal * (1 - 1 / journal)
    changed = [replace(p, scheduler=p.scheduler - less) if p.name == "blocks" else p for p in found]
    return [phase for phase in changed if phase.name != "clean-up"]


def storage_calls(costs: Costs, voxels: float) -> tuple[float, float]:
    """Reads and writes of files or objects for a volume."""
    steps: list[Step] = list(costs.steps.values())
    return voxels * sum(step.reads for step in steps), voxels * sum(step.writes for step in steps)


def stored_bytes(costs: Costs, voxels: float) -> float:
    """Bytes that the storage writes for a volume, compressed, with the working array."""
    return voxels * sum(step.bytes_written for step in costs.steps.values())
