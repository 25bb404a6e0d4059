"""Stop diverged trainings."""

from __future__ import annotations

import math
from typing import Any

from ignite.engine import Engine
from monai.engines.utils import IterationEvents

from ..errors import UserError


class FiniteLoss:
    """Handler of a trainer: raises `UserError` at the first non-finite loss, before the optimizer's step.

    Ignite's `TerminateOnNan` ends such a run as if it had succeeded. Here the command fails with advice.
    """

    def attach(self, trainer: Engine) -> None:
        """Check every loss."""
        trainer.add_event_handler(IterationEvents.LOSS_COMPLETED, self)

    def __call__(self, trainer: Engine) -> None:
        state: Any = trainer.state
        loss = state.output["loss"].item()
        if not math.isfinite(loss):
            raise UserError(
                f"the loss is {loss} in step {state.iteration}: the training diverged; lower --learning_rate, "
                "or clip the gradient (--max_norm 1); earlier results are kept"
            )
