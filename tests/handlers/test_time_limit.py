"""One clock for all processes."""

from __future__ import annotations

import time

import torch.distributed as dist
import torch.multiprocessing as multiprocessing
from ignite.engine import Engine, Events

from custom.handlers import SharedTimeLimit


def train(limit: SharedTimeLimit) -> int:
    """Steps until the limit, at most 200 of 10 ms."""
    trainer = Engine(lambda engine, batch: time.sleep(0.01))
    trainer.add_event_handler(Events.ITERATION_COMPLETED, limit)
    return trainer.run(range(200)).iteration


def _rank(rank: int, file: str, results) -> None:
    dist.init_process_group("gloo", init_method=f"file://{file}", rank=rank, world_size=2)
    limit = SharedTimeLimit(1)
    limit.start_time -= 0.5 * rank  # the clock of rank 1 would end its training earlier
    results[rank] = train(limit)
    dist.destroy_process_group()


def test_one_process_stops_after_the_limit():
    limit = SharedTimeLimit(1)
    limit.start_time -= 2
    assert train(limit) == 1


def test_two_processes_stop_at_the_same_step(tmp_path):
    with multiprocessing.Manager() as manager:
        results = manager.dict()
        multiprocessing.start_processes(_rank, (str(tmp_path / "store"), results), nprocs=2, start_method="fork")
        assert results[0] == results[1] < 200
