"""How long a training will take, measured over its first steps."""

from __future__ import annotations

import logging
import time
from typing import Any

from ignite.engine import Engine, Events

from .console import duration

WARM_UP, MEASURED = 3, 8  # steps: the first ones compile code and fill caches


class TimeEstimate:
    """Handler of a trainer: logs once how long the steps that are left will take on this machine.

    Nothing is logged if an epoch has fewer than five steps.

    Args:
        time_limit: seconds after which the training is ended, if it is.
    """

    def __init__(self, time_limit: float | None = None) -> None:
        self.time_limit = time_limit
        self.logger = logging.getLogger("training")
        self.done, self.start = 0, 0.0

    def attach(self, trainer: Engine) -> None:
        """Watch the first steps."""
        trainer.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, trainer: Engine) -> None:
        state: Any = trainer.state
        measured = min(MEASURED, state.epoch_length - WARM_UP)
        self.done += 1
        if self.done == WARM_UP:
            self.start = time.monotonic()
        if measured > 1 and self.done == WARM_UP + measured:
            seconds = (time.monotonic() - self.start) / measured
            steps = state.max_epochs * state.epoch_length - state.iteration
            if steps > 0:
                self.logger.info(self.line(seconds, steps))

    def line(self, seconds: float, steps: int) -> str:
        """The sentence for steps that take `seconds` each."""
        took = f"about {duration(seconds * steps)} on this machine"
        if self.time_limit is not None and seconds * steps > self.time_limit:
            return f"ends after {duration(self.time_limit)} (time_limit); the {steps} steps left would take {took}"
        return f"the {steps} steps left take {took}, {seconds:.2g} s each, and validations come on top"
