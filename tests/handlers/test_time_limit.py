"""One clock for all processes, and an end like that of an epoch."""

from __future__ import annotations

import time

import torch
import torch.distributed as dist
import torch.multiprocessing as multiprocessing
from ignite.engine import Engine, Events
from torch import nn

from custom.handlers import TimeLimit
from custom.schedules import OneCycle


def _rank(rank: int, file: str, results) -> None:
    dist.init_process_group("gloo", init_method=f"file://{file}", rank=rank, world_size=2)
    taken = []
    limit = TimeLimit(0.7)
    trainer = Engine(lambda engine, batch: taken.append(time.sleep(0.01)))
    limit.attach(trainer)
    trainer.add_event_handler(Events.STARTED, lambda: setattr(limit, "start", limit.start - 0.4 * rank))
    trainer.run(range(100), max_epochs=3)
    results[rank] = len(taken)
    dist.destroy_process_group()


def test_the_epoch_in_which_the_time_is_over_is_completed_and_the_last():
    trainer, seen, steps = Engine(lambda engine, batch: time.sleep(0.01)), [], []
    TimeLimit(0.15).attach(trainer)
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda engine: seen.append(engine.state.epoch))
    trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda engine: steps.append(engine.state.iteration))
    trainer.run(range(10), max_epochs=30)
    assert seen == list(range(1, len(seen) + 1))
    assert 1 <= len(seen) < 30
    assert len(steps) <= 16
    assert trainer.state.iteration == 10 * trainer.state.epoch, "what was left out of the last epoch counts as done"


def test_a_run_within_the_limit_is_left_alone():
    trainer, steps = Engine(lambda engine, batch: steps.append(batch)), []
    TimeLimit(60).attach(trainer)
    trainer.run(range(10), max_epochs=3)
    assert steps == [*range(10)] * 3


def test_the_schedule_ends_with_the_time_and_counts_the_steps_left_out():
    optimizer = torch.optim.AdamW(nn.Linear(2, 1).parameters(), lr=1.0)
    schedule = OneCycle(optimizer, max_lr=1.0, total_steps=300)
    trainer, rates = Engine(lambda engine, batch: time.sleep(0.01) or optimizer.step()), []
    trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda: schedule.step())
    trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda: rates.append(optimizer.param_groups[0]["lr"]))
    TimeLimit(0.5, schedule).attach(trainer)
    trainer.run(range(100), max_epochs=3)
    assert len(rates) < 60
    assert max(rates) > 0.9
    assert rates[-1] < 1e-3
    assert schedule.steps_done == trainer.state.iteration == 100


def test_two_processes_stop_at_the_same_step(tmp_path):
    with multiprocessing.Manager() as manager:
        results = manager.dict()
        multiprocessing.start_processes(_rank, (str(tmp_path / "store"), results), nprocs=2, start_method="fork")
        assert results[0] == results[1] < 100
