"""TensorBoard pictures of what the network is given and what it makes of it."""

from __future__ import annotations

import os
from typing import Any

import torch
from ignite.engine import Engine, Events
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from ..networks.valid_unet import center_crop


def training_strip(image: Tensor, label: Tensor, weight: Tensor, probability: Tensor) -> Tensor:
    """Image, label, weight map and foreground probability side by side.

    Args:
        image: (1, H', W') network input; its centre is shown.
        label: (1, H, W) classes.
        weight: (1, H, W) weight map.
        probability: (1, H'', W'') of the foreground, at least H x W; its centre is shown.

    Returns:
        (1, H, 4 * W) float32 in [0, 1]; the weight map is divided by its maximum.
    """
    size = [label.shape[-2], label.shape[-1]]
    parts = [center_crop(image, size), label, weight / weight.max().clamp(min=1e-6), center_crop(probability, size)]
    return torch.cat(parts, dim=-1).clamp(0, 1)


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
        # The trainer decollates: batch and output are lists with one dictionary an image.
        state: Any = trainer.state
        shown = {**state.batch[0], "pred": state.output[0]["pred"]}
        strip = training_strip(*(torch.as_tensor(shown[key]).cpu() for key in ("image", "label", "weight", "pred")))
        with SummaryWriter(self.log_dir, filename_suffix=".pictures") as writer:
            writer.add_image("image | label | weight | probability", strip.numpy(), state.iteration)
