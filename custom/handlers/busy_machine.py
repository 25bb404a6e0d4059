"""A warning when other programs use the cores that a training computes with."""

from __future__ import annotations

import logging
import os

import torch
from ignite.engine import Engine, Events

from ..free_cores import SHARE, clocks, free_cores, usable_cores, used_since

FIRST, STEPS = 3, 8  # steps before and while the machine is watched: the first ones compile code


class BusyMachine:
    """Handler of a trainer: warns after its first steps if other programs use cores that its threads need.

    Beside a single program that used one of two cores, a step of 32 features took 2.5 s with two threads, and 0.24 s
    with one (see `custom.free_cores`). The training keeps its threads all the same: the last bits of gradients depend
    on their number, and a seed and a resumption repeat a training to the last bit.
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
            others, threads = used_since(self.before, clocks()), torch.get_num_threads()
            line = advice(others, threads, os.cpu_count() or 1, usable_cores())
            if line:
                self.logger.warning(line)


def advice(others: float, threads: int, cores: int, usable: int) -> str | None:
    """What to do while other programs use so many of the cores, or if not all are for this one; None for nothing."""
    if threads > usable:
        return (
            f"this training may use {usable} of the {cores} cores, so that its {threads} threads wait for each other; "
            f"start with OMP_NUM_THREADS={usable}"
        )
    if others < SHARE or threads == 1 or threads + others <= cores:
        return None
    free = min(usable, free_cores(others, cores))
    return (
        f"other programs use {others:.1f} of {cores} cores, and the {threads} threads of this training wait for each "
        f"other: a step can take many times as long; end them, or start with OMP_NUM_THREADS={free}"
    )
