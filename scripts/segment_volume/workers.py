"""Who segments the blocks: this process, or the workers of a Dask cluster."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator
from itertools import islice

from custom.errors import UserError

from .blocks import Block, Job, segment_block

TIMEOUT = 10  # seconds for a scheduler to answer


def segment_here(job: Job, blocks: Iterable[Block]) -> Iterator[Block]:
    """Segment one block after the other, and give each when it is done."""
    for block in blocks:
        yield segment_block(job, block)


def segment_on_cluster(job: Job, blocks: Iterable[Block], scheduler: str) -> Iterator[Block]:
    """Segment the blocks on a Dask cluster, and give each when it is done, in any order.

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
        waiting = iter(blocks)
        # Some more than the workers can do at once, so that none waits; not all, because there may be millions.
        first = islice(waiting, 2 * sum(worker["nthreads"] for worker in workers.values()) + 2)
        running = as_completed(client.submit(segment_block, job, block, pure=False) for block in first)
        for future in running:
            yield future.result()
            for block in islice(waiting, 1):
                running.add(client.submit(segment_block, job, block, pure=False))
