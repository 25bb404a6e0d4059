"""A time limit that shortens a training and its schedule."""

from __future__ import annotations

import logging
import time
from typing import Any

import ignite.distributed as idist
from ignite.engine import Engine, Events

from ..schedules import OneCycle


class TimeLimit:
    """Handler of a trainer: ends it after a time limit, with validation and checkpoint as after a whole epoch.

    A :class:`~custom.schedules.OneCycle` is compressed to the time limit, so that the learning rate is fully annealed.
    Skipped steps of the last epoch count as done, so that a resumed training begins with the next epoch.

    All processes of a distributed training use the clock of rank 0. With separate clocks they would stop at different
    steps, and the remaining ones would wait for gradients forever.

    Args:
        seconds: from the start of the run, or from its resumption.
        schedule: the schedule of the learning rate; schedules of other classes are not changed.
    """

    def __init__(self, seconds: float, schedule: Any = None) -> None:
        self.seconds = seconds
        self.schedule = schedule if isinstance(schedule, OneCycle) else None
        self.start = time.monotonic()
        self.over = False

    def attach(self, trainer: Engine) -> None:
        """Check the clock in each step."""
        trainer.add_event_handler(Events.STARTED, self.begin)
        trainer.add_event_handler(Events.ITERATION_STARTED, self.update)
        trainer.add_event_handler(Events.ITERATION_COMPLETED, self.stop)
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self.finish)

    def begin(self) -> None:
        """Start the clock."""
        self.start = time.monotonic()

    def update(self) -> None:
        """Update the schedule with the elapsed share of the time limit."""
        elapsed: Any = idist.broadcast((time.monotonic() - self.start) / self.seconds)
        share = float(elapsed)
        self.over = share >= 1
        if self.schedule is not None:
            self.schedule.share = min(share, 1.0)

    def stop(self, trainer: Engine) -> None:
        """End the epoch when the time is up."""
        if self.over:
            logging.getLogger(type(self).__name__).info(f"time limit of {self.seconds:g} s reached")
            trainer.terminate_epoch()

    def finish(self, trainer: Engine) -> None:
        """End the training when the time is up."""
        if self.over:
            state: Any = trainer.state
            state.iteration = state.epoch * state.epoch_length
            if self.schedule is not None:
                self.schedule.steps_done = state.iteration
            trainer.terminate()
