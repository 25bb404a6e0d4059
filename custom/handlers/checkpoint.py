"""Checkpoints: everything that a killed run needs to go on as if nothing had happened."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from ignite.engine import Engine, Events
from torch import nn

from ..errors import UserError
from ..files import replace_file
from ..inferers.geometry import unwrap


def is_first_rank() -> bool:
    """True in a run without `torch.distributed` and on its rank 0."""
    return not (dist.is_available() and dist.is_initialized()) or dist.get_rank() == 0


def save(content: Any, path: Path) -> None:
    """`torch.save` beside ``path``, renamed when complete; `UserError` if the folder or the disk does not take it."""
    with replace_file(path) as temporary:
        try:
            torch.save(content, temporary)
        except RuntimeError as error:
            # PyTorch's zip writer reports a failed write as a RuntimeError about file positions.
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error


class TrainingCheckpoint:
    """Handler of a trainer: writes the whole state of a run after each epoch and, on request, goes on from it.

    Attach it after all other handlers, so that validation, schedule and early stopping have done their part of the
    epoch. Random state is not part of the file: :class:`~custom.handlers.EpochSeed` makes it a function of the epoch.

    Args:
        path: the checkpoint file, replaced after each epoch.
        state: name to object with ``state_dict`` and ``load_state_dict`` (network, optimizer, schedule, ...).
        evaluator: the evaluator whose best metric is remembered.
        resume: go on from ``path`` if it is there; a missing file starts afresh.

    Raises:
        UserError: the checkpoint does not fit the objects, or cannot be written.
    """

    def __init__(
        self, path: str | os.PathLike[str], state: Mapping[str, Any], evaluator: Engine, resume: bool = False
    ) -> None:
        self.path = Path(path)
        self.state: dict[str, Any] = {
            name: unwrap(item) if isinstance(item, nn.Module) else item for name, item in state.items()
        }
        self.evaluator = evaluator
        self.resume = resume

    def attach(self, trainer: Engine) -> None:
        """Load when the run starts, save after each epoch."""
        trainer.add_event_handler(Events.STARTED, self.load)
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self.save)

    def save(self, trainer: Engine) -> None:
        """Write the state of all objects and counters."""
        if not is_first_rank():
            return
        best: Any = self.evaluator.state
        checkpoint = {name: item.state_dict() for name, item in self.state.items()}
        checkpoint["trainer"] = {"epoch": trainer.state.epoch, "iteration": trainer.state.iteration}
        checkpoint["evaluator"] = {"best_metric": best.best_metric, "best_metric_epoch": best.best_metric_epoch}
        save(checkpoint, self.path)

    def load(self, trainer: Engine) -> None:
        """Restore the state of all objects and counters, if asked to and if there is a checkpoint."""
        logger = logging.getLogger(type(self).__name__)
        if not self.resume:
            return
        if not self.path.is_file():
            logger.info(f"{self.path} is not there: training starts at epoch 1")
            return
        checkpoint = torch.load(self.path, map_location="cpu", weights_only=True)
        for name, item in self.state.items():
            try:
                item.load_state_dict(checkpoint[name])
            except (KeyError, ValueError, RuntimeError) as error:
                raise UserError(
                    f"{self.path} does not fit this run ({name}: {str(error).splitlines()[0]}): "
                    "resume with the configuration it was written with, or train without --resume"
                ) from error
        for engine, counters in ((trainer, "trainer"), (self.evaluator, "evaluator")):
            for name, value in checkpoint[counters].items():
                setattr(engine.state, name, value)
        logger.info(f"resumed {self.path} after epoch {trainer.state.epoch}")
