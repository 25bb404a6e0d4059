"""Console output of a training: one line per epoch."""

from __future__ import annotations

import logging
import time
from typing import Any

from ignite.engine import Engine, Events
from torch.optim import Optimizer

# Metrics of a validation, and their names in the line.
VALIDATION = {"pixel_error": "pixel error", "iou": "foreground IoU", "val_loss": "validation loss"}
NAMES = {"pixel_error": "pixel error", "v_rand": "V_rand", "seg": "SEG"}  # of the measures that weights are chosen by


class EpochLine:
    """Handler of a trainer: logs epoch, loss, validation scores, learning rate and the time left, in one line.

    Attach it after the validation, to report the scores of the same epoch.

    Args:
        evaluator: evaluator of the validation.
        optimizer: optimizer whose learning rate is reported.
        classes: number of classes; the IoU of more than two is their mean.
        time_limit: seconds after which the training is ended, if it is.
        best_by: measure that the best weights are chosen by; it comes first.
    """

    def __init__(
        self,
        evaluator: Engine,
        optimizer: Optimizer,
        classes: int = 2,
        time_limit: float | None = None,
        best_by: str = "pixel_error",
    ) -> None:
        self.names = {best_by: NAMES[best_by], **VALIDATION}
        if classes > 2:
            self.names["iou"] = "mean IoU"
        self.evaluator = evaluator
        self.optimizer = optimizer
        self.time_limit = float("inf") if time_limit is None else time_limit
        self.logger = logging.getLogger("training")
        self.start: float | None = None
        self.epochs_before = 0

    def attach(self, trainer: Engine) -> None:
        """Log after each epoch."""
        trainer.add_event_handler(Events.EPOCH_STARTED, self.begin)
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self)

    def begin(self, trainer: Engine) -> None:
        """Start the clock in the first epoch, which is a later one in a resumed training."""
        if self.start is None:
            self.start, self.epochs_before = time.monotonic(), trainer.state.epoch - 1

    def __call__(self, trainer: Engine) -> None:
        state: Any = trainer.state
        parts = [f"epoch {state.epoch}/{state.max_epochs}", f"loss {state.metrics['train_loss']:.4f}"]
        validation: Any = self.evaluator.state
        if validation.epoch == state.epoch:
            scores = validation.metrics
            parts += [f"{words} {scores[name]:.4f}" for name, words in self.names.items() if name in scores]
            if "smoothed_score" in scores:
                parts[2] += f", smoothed {scores['smoothed_score']:.4f}"
            if validation.best_metric_epoch == state.epoch:
                parts[2] += " (best so far)"
        parts.append(f"learning rate {self.optimizer.param_groups[0]['lr']:.2g}")
        assert self.start is not None
        elapsed, epochs = time.monotonic() - self.start, state.max_epochs - state.epoch
        if epochs > 0 and elapsed < self.time_limit:
            left = elapsed / (state.epoch - self.epochs_before) * epochs
            parts.append(f"{duration(min(left, self.time_limit - elapsed))} left")
        self.logger.info(", ".join(parts))


def duration(seconds: float) -> str:
    """Seconds, minutes or hours, rounded."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
