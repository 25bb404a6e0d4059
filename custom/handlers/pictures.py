"""TensorBoard pictures of the network's inputs, targets and predictions."""

from __future__ import annotations

import os
from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.engines.utils import IterationEvents
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from ..classes import foreground_of
from ..constants import IGNORED
from ..networks.valid_unet import center_crop

MAX_SIDE = 256  # of one picture in a strip of a validation image
MAX_IMAGES = 2


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


def validation_strip(image: Tensor, label: Tensor, probability: Tensor) -> Tensor:
    """Image, label and foreground probability side by side, subsampled if they are large.

    Args:
        image: (1, H, W).
        label: (1, H, W) classes.
        probability: (1, H, W) of the foreground.

    Returns:
        (1, h, 3 * w) float32 in [0, 1], h and w at most 256.
    """
    step = -(-max(label.shape[-2:]) // MAX_SIDE)
    parts = [part[..., ::step, ::step].float() for part in (image, label, probability)]
    return torch.cat(parts, dim=-1).clamp(0, 1)


def _planes(shown: dict[str, Any]) -> tuple[Tensor, Tensor, Tensor]:
    """Image, label and probability of foreground to show, each (1, H, W): of several channels the mean, of several
    classes brighter ones for higher numbers."""
    image, label, pred = (torch.as_tensor(shown[key]).cpu() for key in ("image", "label", "pred"))
    classes = max(len(pred), 2)
    label = label if classes == 2 else torch.where(label == IGNORED, IGNORED, label / (classes - 1))
    return image.mean(dim=0, keepdim=True) if len(image) > 1 else image, label, foreground_of(pred)


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
        planes = _planes(shown)
        strip = training_strip(planes[0], planes[1], torch.as_tensor(shown["weight"]).cpu(), planes[2])
        with SummaryWriter(self.log_dir, filename_suffix=".pictures") as writer:
            writer.add_image("training: image | label | weight | probability", strip.numpy(), state.epoch)


class ValidationPictures:
    """Handler of an evaluator: writes :func:`validation_strip` of its first two images in every validation.

    Args:
        log_dir: folder of the TensorBoard events.
    """

    def __init__(self, log_dir: str | os.PathLike[str]) -> None:
        self.log_dir = log_dir
        self.strips: list[Tensor] = []

    def attach(self, evaluator: Engine) -> None:
        """Collect during a validation, write at its end."""
        evaluator.add_event_handler(IterationEvents.MODEL_COMPLETED, self.gather)
        evaluator.add_event_handler(Events.EPOCH_COMPLETED, self)

    def gather(self, evaluator: Engine) -> None:
        """Keep the strips of the first images."""
        state: Any = evaluator.state
        for batch, output in zip(state.batch, state.output, strict=True):
            if len(self.strips) < MAX_IMAGES:
                self.strips.append(validation_strip(*_planes({**batch, **output})))

    def __call__(self, evaluator: Engine) -> None:
        with SummaryWriter(self.log_dir, filename_suffix=".pictures") as writer:
            for number, strip in enumerate(self.strips, start=1):
                writer.add_image(
                    f"validation {number}: image | label | probability", strip.numpy(), evaluator.state.epoch
                )
        self.strips = []
