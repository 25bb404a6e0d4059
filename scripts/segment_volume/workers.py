"""Segmentation of blocks by this process, or by the workers of a Dask cluster."""

from __future__ import annotations

import importlib.util
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from tqdm import tqdm

from custom.errors import UserError

from .blocks import Block, Job, segment_block

AT_ONCE = 3  # blocks in one process: one is read, one computed, one written
TIMEOUT = 10  # seconds for a scheduler to answer


Item = TypeVar("Item")
Result = TypeVar("Result")


def each(
    function: Callable[[Job, Item], Result], job: Job, items: Iterable[Item], scheduler: str | None
) -> Iterator[Result]:
    """The results of `function(job, item)`, here one after the other, or on a cluster in any order."""
    return _each_on_cluster(function, job, items, scheduler) if scheduler else (function(job, item) for item in items)


def run_slices(
    function: Callable[[Job, int], int], job: Job, slices: Sequence[int], scheduler: str | None, what: str
) -> None:
    """Call `function(job, z)` for each slice, here or on a cluster, with a progress bar that says `what`."""
    for _ in tqdm(each(function, job, slices, scheduler), total=len(slices), unit="slice", desc=what, disable=None):
        pass


def segment_here(job: Job, blocks: Iterable[Block]) -> Iterator[Block]:
    """Segment the blocks, and give each when it is done: one is computed while others are read and written."""
    waiting = iter(blocks)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = deque(pool.submit(segment_block, job, block) for block in islice(waiting, AT_ONCE))
        try:
            while running:
                yield running.popleft().result()
                running.extend(pool.submit(segment_block, job, block) for block in islice(waiting, 1))
        finally:
            for future in running:
                future.cancel()


def segment_on_cluster(job: Job, blocks: Iterable[Block], scheduler: str) -> Iterator[Block]:
    """Segment the blocks on a Dask cluster, and give each when it is done, in any order. Raises as `each`."""
    return _each_on_cluster(segment_block, job, blocks, scheduler)


def _each_on_cluster(
    function: Callable[[Job, Item], Result], job: Job, items: Iterable[Item], scheduler: str
) -> Iterator[Result]:
    """The results of `function(job, item)` on a Dask cluster.

    The work of a worker that dies goes to another. Workers need this project and its packages, and see the files under
    the same paths.

    Raises:
        UserError: `distributed` is not installed, no scheduler answers, it has no worker.
    """
    if importlib.util.find_spec("distributed") is None:
        raise UserError("--scheduler needs the package distributed: pip install -r requirements-volume.txt")
    from distributed import Client, as_completed

    try:
        client = Client(scheduler, timeout=TIMEOUT)
    except (OSError, ValueError) as error:
        raise UserError(
            f"--scheduler {scheduler}: no Dask scheduler answers there; start it, or leave this out"
        ) from error
    with client:
        workers = client.scheduler_info(n_workers=-1)["workers"]
        if not workers:
            raise UserError(f"--scheduler {scheduler}: has no workers; start some from the folder of this project")
        waiting = iter(items)
        # Slightly more than the workers can do at once, so that none waits; not all, since there may be millions.
        first = islice(waiting, 2 * sum(worker["nthreads"] for worker in workers.values()) + 2)
        running = as_completed(client.submit(function, job, item, pure=False) for item in first)
        for future in running:
            yield future.result()
            for item in islice(waiting, 1):
                running.add(client.submit(function, job, item, pure=False))
