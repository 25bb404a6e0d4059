"""A learning-rate schedule that can be extended, or compressed to a time limit."""

from __future__ import annotations

import logging
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import OneCycleLR


class OneCycle(OneCycleLR):
    """PyTorch's one-cycle schedule with support for time limits and longer trainings.

    It takes the same steps as `torch.optim.lr_scheduler.OneCycleLR`, with two exceptions:

    - If :attr:`share`, the elapsed share of a time limit, exceeds the share of the steps taken, the schedule skips to
      it, so that the learning rate is fully annealed when the time is up. On a fast machine nothing changes.
    - A state saved for another number of steps, or at the end of the schedule, continues with a new cycle over the
      steps that are left. Its peak is `max_lr` times their share of all steps: 0.5 for a training of twice the length,
      little for a few more epochs, which refine the weights.

    Example:
        >>> optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))])
        >>> schedule = OneCycle(optimizer, max_lr=0.1, total_steps=4)
        >>> rates = []
        >>> for _ in range(4):
        ...     rates.append(round(optimizer.param_groups[0]["lr"], 3))
        ...     optimizer.step()
        ...     schedule.step()
        >>> rates
        [0.004, 0.081, 0.028, 0.0]

    Args:
        optimizer: its learning rate and momentum are set.
        max_lr: peak of the learning rate.
        total_steps: of the whole training.
    """

    def __init__(self, optimizer: Optimizer, max_lr: float, total_steps: int) -> None:
        self.max_lr = max_lr
        self.planned_steps = total_steps
        self.steps_done = -1  # the constructor takes the first step
        self.cycle_start = 0  # steps before this cycle
        self.position = 0  # in this cycle
        self.share = 0.0
        self.share_start = 0  # position in the cycle when the clock began
        super().__init__(optimizer, max_lr=max_lr, total_steps=total_steps)

    def step(self, epoch: int | None = None) -> None:
        """Set the learning rate for the next step of the training."""
        self.steps_done += 1
        by_clock = self.share_start + int((self.total_steps - self.share_start) * self.share)
        self.position = min(max(self.steps_done - self.cycle_start, by_clock), self.total_steps)
        # PyTorch calls the position last_epoch and increments it; after the last step its rate would rise again.
        self.last_epoch = min(self.position, self.total_steps - 1) - 1
        super().step()

    def state_dict(self) -> dict[str, Any]:
        """The state without the elapsed time, which is not resumed."""
        return {key: value for key, value in super().state_dict().items() if key not in ("share", "share_start")}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue a schedule; see the class for one of another length. Restore the optimizer first."""
        planned = self.planned_steps
        super().load_state_dict(state_dict)
        self.share, self.share_start = 0.0, self.position
        left = planned - self.steps_done
        if left > 0 and (planned != self.planned_steps or self.position >= self.total_steps):
            self._restart(planned, left)

    def _restart(self, planned: int, left: int) -> None:
        peak = self.max_lr * left / planned
        cycle = OneCycleLR(self.optimizer, max_lr=peak, total_steps=left)
        self.__dict__.update(cycle.state_dict())
        self.planned_steps, self.cycle_start, self.position, self.share_start = planned, self.steps_done, 0, 0
        logging.getLogger(type(self).__name__).info(
            f"new cycle over the {left} steps that are left, with a learning rate of at most {peak:.2g}"
        )
