"""A warning when other programs use the cores that a training computes with."""

from __future__ import annotations

import logging
import math
import os
import time

import psutil
import torch
from ignite.engine import Engine, Events

FIRST, STEPS = 3, 8  # steps before and while the machine is watched: the first ones compile code
SHARE = 0.3  # of a core; less is the system itself


class BusyMachine:
    """Handler of a trainer: warns after its first steps if other programs use cores that its threads need.

    The threads of a step wait for each other in every layer, and busily. If one of them has no core, the others burn
    theirs until it gets one: beside a single program that uses one of two cores, a step of 16 features took 2.5 s
    with two threads, and 0.1 s with one.
    """

    def __init__(self) -> None:
        self.logger = logging.getLogger("training")
        self.steps = 0
        self.before = (0.0, 0.0)

    def attach(self, trainer: Engine) -> None:
        """Watch the first steps."""
        trainer.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, trainer: Engine) -> None:
        self.steps += 1
        if self.steps == FIRST:
            self.before = clocks()
        if self.steps == FIRST + STEPS:
            now, others = (new - old for new, old in zip(clocks(), self.before, strict=True))
            line = advice(others / max(now, 1e-6), torch.get_num_threads(), os.cpu_count() or 1)
            if line:
                self.logger.warning(line)


def clocks() -> tuple[float, float]:
    """Seconds of the wall's clock, and of processor time that all other programs have used."""
    used = psutil.cpu_times()
    busy = used.user + used.system + getattr(used, "nice", 0.0)
    return time.monotonic(), busy - time.process_time()


def advice(others: float, threads: int, cores: int) -> str | None:
    """What to do while other programs use so many cores; None if there is nothing to do."""
    if others < SHARE or threads == 1 or threads + others <= cores:
        return None
    free = max(1, cores - math.ceil(others - SHARE))
    return (
        f"other programs use {others:.1f} of {cores} cores, and the {threads} threads of this training wait for each "
        f"other: a step can take many times as long; end them, or start with OMP_NUM_THREADS={free}"
    )
