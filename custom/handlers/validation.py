"""Validation at an interval and at the end."""

from __future__ import annotations

from typing import Any

from ignite.engine import Engine, Events
from monai.handlers import ValidationHandler


class Validation(ValidationHandler):
    """`monai.handlers.ValidationHandler` that also validates after the last epoch, whatever the interval.

    The last epoch is that of `max_epochs`, or the one in which the training was ended, by a time limit for example. So
    every training ends with a score, and the last weights, which are often the best, are scored.
    """

    def attach(self, engine: Engine) -> None:
        """Validate after the epochs for which a validation is due."""
        engine.add_event_handler(Events.EPOCH_COMPLETED(event_filter=self.is_due), self)

    def is_due(self, engine: Engine, epoch: int) -> bool:
        """Whether there is a validation after an epoch."""
        return epoch % self.interval == 0 or is_last_epoch(engine)


def is_last_epoch(trainer: Engine) -> bool:
    """Whether the epoch that is being completed is that of `max_epochs`, or the training is ended in it."""
    state: Any = trainer.state
    is_ended = trainer.should_terminate or trainer.should_terminate_single_epoch
    return state.epoch == state.max_epochs or bool(is_ended)
