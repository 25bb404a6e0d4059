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


def phases(
    costs: Costs, shape: tuple[int, int, int], block: int, machine: Machine, chunks_in_file: int = 1
) -> list[Phase]:
    """The phases of `scripts.segment_volume --instances --link_z --scheduler ADDRESS` on a volume (Z, H, W).

    Args:
        costs: as recorded, with a chunk in each file.
        shape: of the volume.
        block: pixels per side of a block.
        machine: what is assumed of it.
        chunks_in_file: chunks that a file would hold, which divides the calls of the storage.
    """
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
        calls = (step.reads + step.writes) / chunks_in_file
        return Phase(
            name=name,
            tasks=tasks,
            scheduler=costs.scheduler + journal,
            storage=size * max(moved, calls / machine.calls),
            waiting=size * calls * machine.latency / machine.together,
            core=tuple(size * seconds for seconds in step.seconds),
        )

    numbers = phase("numbers", depth, plane)
    removed = plane * (costs.files / chunks_in_file + costs.folders)
    clean_up = replace(
        phase("clean-up", depth, plane), storage=removed / machine.calls, waiting=removed * machine.latency
    )
    return [
        phase("gray values", depth, plane),
        replace(phase("blocks", blocks, voxels, costs.journal), network=tuple(voxels * s for s in network)),
        phase("instances", depth, plane),
        phase("links", depth - 1, plane),
        replace(numbers, scheduler=numbers.scheduler + plane * costs.cells * costs.number),
        phase("pyramids", depth, plane),
        clean_up,
    ]


def as_it_was(found: list[Phase], workers: int, blocks_of_slice: int) -> list[Phase]:
    """Before the percentiles were measured once, and before the workers built the pyramids and cleaned up."""
    repeated = min(workers, blocks_of_slice)
    changed = []
    for phase in found:
        if phase.name == "gray values":
            changed.append(replace(phase, tasks=phase.tasks * repeated))
        elif phase.name in ("pyramids", "clean-up"):
            alone = sum(phase.core) / len(phase.core) + phase.storage + phase.waiting
            changed.append(Phase(phase.name, 0, serial=phase.tasks * alone))
        else:
            changed.append(phase)
    return changed


def storage_calls(costs: Costs, voxels: float) -> tuple[float, float]:
    """Reads and writes of files or objects for a volume."""
    steps: list[Step] = list(costs.steps.values())
    return voxels * sum(step.reads for step in steps), voxels * sum(step.writes for step in steps)


def stored_bytes(costs: Costs, voxels: float) -> float:
    """Bytes that the storage writes for a volume, compressed, with the working array."""
    return voxels * sum(step.bytes_written for step in costs.steps.values())
