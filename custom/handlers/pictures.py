"""TensorBoard pictures of what the network is given and what it makes of it."""

from __future__ import annotations

import os
from typing import Any

import torch
from ignite.engine import Engine, Events
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from ..networks.valid_unet import center_crop


def training_strip(image: Tensor, target: Tensor, probability: Tensor) -> Tensor:
    """Image, label, weight map and foreground probability side by side.

    Args:
        image: (1, H', W') network input; its centre is shown.
        target: (2, H, W) label and weight.
        probability: (1, H'', W'') of the foreground, at least H x W; its centre is shown.

    Returns:
        (1, H, 4 * W) float32 in [0, 1]; the weight map is divided by its maximum.
    """
    size = [target.shape[-2], target.shape[-1]]
    label, weight = target[:1].clamp(max=1), target[1:] / target[1:].max().clamp(min=1e-6)
    return torch.cat([center_crop(image, size), label, weight, center_crop(probability, size)], dim=-1).clamp(0, 1)


class TrainingPictures:
    """Handler of a trainer: writes :func:`training_strip` of the last batch at an interval.

    Args:
        log_dir: folder of the TensorBoard events.
        interval: epochs between pictures.
    """

    def __init__(self, log_dir: str | os.PathLike[str], interval: int = 1) -> None:
        self.log_dir = log_dir
        self.interval = interval

    def attach(self, trainer: Engine) -> None:
        """Write after every ``interval`` epochs."""
        trainer.add_event_handler(Events.EPOCH_COMPLETED(every=self.interval), self)

    def __call__(self, trainer: Engine) -> None:
        # The trainer decollates: its output is a list with one dictionary an image.
        state: Any = trainer.state
        output = state.output[0]
        strip = training_strip(*(torch.as_tensor(output[key]).cpu() for key in ("image", "target", "pred")))
        with SummaryWriter(self.log_dir, filename_suffix=".pictures") as writer:
            writer.add_image("image | label | weight | probability", strip.numpy(), state.iteration)
