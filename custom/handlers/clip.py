"""Gradient clipping, which MONAI's trainer does not offer."""

from __future__ import annotations

import torch
from ignite.engine import Engine
from monai.engines.utils import IterationEvents
from torch import nn


class GradientClip:
    """Handler of a trainer: scales the gradient to at most ``max_norm`` before the optimizer's step.

    Example:
        >>> network = torch.nn.Linear(1, 1, bias=False)
        >>> network.weight.grad = torch.tensor([[3.0]])
        >>> GradientClip(network, max_norm=1.0)(Engine(lambda engine, batch: None))
        >>> round(network.weight.grad.item(), 3)
        1.0

    Args:
        network: its parameters are clipped together.
        max_norm: largest Euclidean norm of the gradient of all parameters.
    """

    def __init__(self, network: nn.Module, max_norm: float) -> None:
        self.network = network
        self.max_norm = max_norm

    def attach(self, trainer: Engine) -> None:
        """Clip after every backward pass."""
        trainer.add_event_handler(IterationEvents.BACKWARD_COMPLETED, self)

    def __call__(self, trainer: Engine) -> None:
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.max_norm)
