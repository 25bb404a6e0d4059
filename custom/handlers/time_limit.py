"""A time limit that all processes of a distributed training reach at the same step."""

from __future__ import annotations

import time

import ignite.distributed as idist
from ignite.engine import Engine
from ignite.handlers import TimeLimit


class SharedTimeLimit(TimeLimit):
    """`ignite.handlers.TimeLimit` by the clock of rank 0.

    Clocks that start at different times would end the processes at different steps, and those that go on would wait
    for the gradients of the others.
    """

    def __call__(self, engine: Engine) -> None:
        over = time.time() - self.start_time > self.limit_sec
        if idist.broadcast(float(over)):
            self.logger.info(f"Reached the time limit: {self.limit_sec} sec. Stop training")
            engine.terminate()
