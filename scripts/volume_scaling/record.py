"""What the steps of `scripts.segment_volume` cost, recorded from a real run on a volume of micrographs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
import zarr
from zarr.storage import LocalStore

from custom.inferers import bfloat16_is_fast
from custom.inferers.geometry import geometry_of
from custom.model import read_model, to_json

from ..benchmark import samples
from ..benchmark.matrix import forward_operations
from ..segment_volume import __main__ as segment_volume
from ..segment_volume import blocks, instances, target, workers
from ..segment_volume.blocks import Job
from ..segment_volume.clean_up import clean_slice
from ..segment_volume.journal import Journal
from ..segment_volume.pyramid import fill_levels

MODEL = "em"
ENTRIES, TASKS = 100, 300  # of the journal, and of a scheduler, that are timed


@dataclass
class Step:
    """Costs of one step for each voxel; `seconds` are those of one core, of each task that was recorded."""

    seconds: list[float] = field(default_factory=list)
    reads: float = 0.0
    writes: float = 0.0
    bytes_read: float = 0.0
    bytes_written: float = 0.0


@dataclass
class Costs:
    """What was recorded.

    Args:
        shape: (Z, H, W) of the volume.
        block: pixels per side of a block.
        operations: of the network for a voxel.
        steps: by name; "network" has no storage of its own, "blocks" is all else of a block.
        scheduler: seconds of the scheduling process for a task.
        journal: seconds to note a block.
        number: seconds of the numbering process for a cell.
        cells: for a voxel.
        files: of the working array, for a voxel.
        folders: of the result, for a voxel.
    """

    shape: tuple[int, int, int]
    block: int
    operations: float
    steps: dict[str, Step]
    scheduler: float
    journal: float
    number: float
    cells: float
    files: float
    folders: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Costs:
        return cls(**{**content, "steps": {name: Step(**step) for name, step in content["steps"].items()}})


class Recorder:
    """Adds to a step what the calls inside `task` cost."""

    def __init__(self) -> None:
        self.steps: dict[str, Step] = {}
        self.now = Step()

    @contextmanager
    def storage(self) -> Iterator[None]:
        """Count what goes to and from the storage inside the block."""
        get, put = LocalStore.get, LocalStore.set

        async def counted_get(store: LocalStore, *args: Any, **kwargs: Any) -> Any:
            found = await get(store, *args, **kwargs)
            self.now.reads += 1
            self.now.bytes_read += len(found) if found is not None else 0
            return found

        async def counted_set(store: LocalStore, key: str, value: Any) -> None:
            self.now.writes += 1
            self.now.bytes_written += len(value)
            await put(store, key, value)

        LocalStore.get, LocalStore.set = counted_get, counted_set  # type: ignore[method-assign,assignment]
        try:
            yield
        finally:
            LocalStore.get, LocalStore.set = get, put  # type: ignore[method-assign]

    def task(self, name: str, voxels: int, call: Callable[[], object]) -> None:
        """Make a call that works on so many voxels, as a task of a step."""
        self.now = Step()
        start = time.process_time()
        call()
        self.now.seconds = [(time.process_time() - start) / voxels]
        step = self.steps.setdefault(name, Step())
        count, new = len(step.seconds), self.now
        for part in ("reads", "writes", "bytes_read", "bytes_written"):
            mean = (getattr(step, part) * count + getattr(new, part) / voxels) / (count + 1)
            setattr(step, part, mean)
        step.seconds += new.seconds


class CoreClock(blocks.Clock):
    """Counts the seconds of one core instead of those on the wall."""

    def __enter__(self) -> None:
        self._start = time.process_time()

    def __exit__(self, *error: object) -> None:
        self.seconds += time.process_time() - self._start


def record(shape: tuple[int, int, int], block: int, model: str = MODEL) -> Costs:
    """Segment a volume of micrographs with instances linked through z, step by step, on one core.

    Args:
        shape: (Z, H, W).
        block: pixels per side of a block.
        model: whose network and post-processing are used, without a mean over orientations.
    """
    torch.set_num_threads(1)
    with TemporaryDirectory() as folder:
        job = make_job(Path(folder), shape, block, model)
        recorder = Recorder()
        with recorder.storage():
            counts = _run(job, recorder)
            files = _count(Path(job.target) / instances.WORKING, Path.is_file)
            folders = _count(Path(job.target), Path.is_dir)
            for z in range(shape[0]):
                recorder.task("clean-up", shape[1] * shape[2], partial(clean_slice, job, z))
        network = blocks.model_of(job)[1]
        geometry = geometry_of(network)
        side = geometry.input_size(block)
        voxels = float(np.prod(shape))
        return Costs(
            shape=shape,
            block=block,
            operations=forward_operations(network, side) / (side - 2 * geometry.border) ** 2,
            steps=recorder.steps,
            scheduler=_scheduler(job),
            journal=_journal(Path(folder) / "journal.txt"),
            number=_number(int(sum(counts))),
            cells=sum(counts) / voxels,
            files=files / voxels,
            folders=folders / voxels,
        )


def _run(job: Job, recorder: Recorder) -> list[int]:
    """All steps on all slices but the last, the clean-up; returns the numbers of cells."""
    depth, height, width = job.shape
    plane = height * width
    for z in range(depth):
        recorder.task("gray values", plane, partial(blocks.measure_slice, job, z))
    for block in job.blocks():
        voxels = min(job.block, height - block.row) * min(job.block, width - block.column)
        blocks.network_clock = clock = CoreClock()
        recorder.task("blocks", voxels, partial(blocks.segment_block, job, block))
        recorder.steps["blocks"].seconds[-1] -= clock.seconds / voxels
        recorder.steps.setdefault("network", Step()).seconds.append(clock.seconds / voxels)
    for z in range(depth):
        recorder.task("instances", plane, partial(instances.segment_slice, job, z))
    for z in range(1, depth):
        recorder.task("links", plane, partial(instances.link_slice, job, z))
    counts = [int((Path(job.target) / instances.COUNTS / str(z)).read_text(encoding="utf-8")) for z in range(depth)]
    for item in instances.number(counts, [None] * depth):
        recorder.task("numbers", plane, partial(instances.number_slice, job, item))
    for z in range(depth):
        recorder.task("pyramids", plane, partial(fill_levels, job, z))
    return counts


def make_job(folder: Path, shape: tuple[int, int, int], block: int, model: str) -> Job:
    """The job of a volume of micrographs, 8 bits, each slice shifted against the one before."""
    _, height, width = shape
    plane = (255 * samples.mosaic(max(height, width))[0][:height, :width]).astype(np.uint8)
    source = zarr.create_array(folder / "in.zarr", shape=shape, chunks=(1, 512, 512), dtype="uint8")
    source[:] = np.stack([np.roll(plane, 3 * z, axis=1) for z in range(shape[0])])
    shipped = read_model(model)
    assert shipped.folder is not None
    job = Job(
        source=str(folder / "in.zarr"),
        channel=None,
        target=str(folder / "out"),
        model=to_json(shipped.model_copy(update={"orientations": 1})),
        model_folder=str(shipped.folder),
        shape=shape,
        block=block,
        memory=2**30,
        bfloat16=bfloat16_is_fast("cpu"),
        instances=True,
        link_z=True,
    )
    chunk = segment_volume.chunk_of(block)
    target.create(folder / "out", shape, chunk, (1, 1, 1), None, instances=True)
    instances.create(folder / "out", job, chunk)
    return job


def _count(folder: Path, kind: Callable[[Path], bool]) -> int:
    return sum(kind(path) for path in folder.rglob("*"))


def _journal(path: Path) -> float:
    journal = Journal(path)
    journal.start({})
    start = time.perf_counter()
    for z in range(ENTRIES):
        journal.add(blocks.Block(z, 0, 0))
    return (time.perf_counter() - start) / ENTRIES


def _number(cells: int) -> float:
    start = time.process_time()
    for _ in instances.number([cells] * 10, [None] * 10):
        pass
    return (time.process_time() - start) / (10 * max(cells, 1))


def nothing(job: Job, number: int) -> int:
    """A task without work."""
    return number


def _scheduler(job: Job) -> float:
    """Seconds of this process, which is the scheduler and hands out the tasks, for each of them."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None) as cluster:
        short = replace(job, model="")
        list(workers.each(nothing, short, range(10), cluster.scheduler_address))
        start = time.process_time()
        list(workers.each(nothing, short, range(TASKS), cluster.scheduler_address))
        return (time.process_time() - start) / TASKS
