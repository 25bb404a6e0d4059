"""Checkpoints: the complete state of a training, from which a killed run resumes exactly."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from torch import nn

from ..errors import UserError
from ..files import replace_file
from ..inferers.geometry import unwrap
from ..model import MODEL_FILE, read_model
from ..run_folder import is_first_rank, load_checkpoint
from ..run_settings import differences


def save(content: Any, path: Path) -> None:
    """Atomic `torch.save` with equal bytes for equal content.

    Raises:
        UserError: the folder is not writable, or the disk is full.
    """
    # Written by PyTorch itself, the file would hold its own temporary name, and a full disk would be a RuntimeError.
    data = io.BytesIO()
    torch.save(content, data)
    with replace_file(path) as temporary:
        temporary.write_bytes(data.getbuffer())


class TrainingCheckpoint:
    """Handler of a trainer: writes the whole state of a training after each epoch and, on request, resumes it.

    Attach it after all other handlers, so that validation, schedule and early stopping have finished the epoch. Random
    state is not part of the file: :class:`~custom.handlers.EpochSeed` makes it a function of the epoch. The first
    checkpoint is written before the first step, so that a folder with a model of an unfinished training has one, too.

    Args:
        path: the checkpoint file, replaced after each epoch.
        state: name to object with ``state_dict`` and ``load_state_dict`` (network, optimizer, schedule, ...), in the
            order in which they are restored; None is skipped.
        evaluator: the evaluator whose best metric is saved.
        settings: everything that the training depends on, see `custom.run_settings.training_settings`; a training can
            only be resumed with the same settings.
        resume: continue from ``path`` if it exists; a missing file starts a new training.
        model_dir: folder of the best model so far, which has to be intact when a training is resumed.
        replaced: files of an earlier training (see `custom.run_folder.claim`), removed when this one runs.

    Raises:
        UserError: the checkpoint was written with other settings, is damaged, or cannot be written.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        state: Mapping[str, Any],
        evaluator: Engine,
        settings: str = "{}",
        resume: bool = False,
        model_dir: str | os.PathLike[str] | None = None,
        replaced: Sequence[Path] = (),
    ) -> None:
        self.path = Path(path)
        self.state: dict[str, Any] = {
            name: unwrap(item) if isinstance(item, nn.Module) else item
            for name, item in state.items()
            if item is not None
        }
        self.evaluator = evaluator
        self.settings = settings
        self.resume = resume
        self.model_dir = None if model_dir is None else Path(model_dir)
        self.replaced = replaced
        self.logger = logging.getLogger(type(self).__name__)

    def attach(self, trainer: Engine) -> None:
        """Load when the run starts, save after each epoch."""
        trainer.add_event_handler(Events.STARTED, self.load)
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self.save)

    def run(self, trainer: Any) -> None:
        """Run the trainer; the message of an interruption says how to continue.

        Raises:
            UserError: the folder lacks a part of the training that is to be resumed.
            KeyboardInterrupt: by Ctrl-C, or `custom.exits.Terminated` by SIGTERM, with the advice as message.
        """
        for file in self.replaced:
            with suppress(PermissionError):  # on Windows one that an earlier training of this process holds open
                file.unlink(missing_ok=True)
        if self.resume and self.path.is_file():
            self._require_best_model(self._read())  # raises errors before the trainer starts
        try:
            trainer.run()
        except KeyboardInterrupt as signal:
            raise type(signal)(self._advice()) from None
        except OSError as error:
            if error.filename is not None:
                raise
            # TensorBoard's, which does not say where.
            folder, reason = self.path.parent, error.strerror or error
            raise UserError(f"{folder}: cannot be written ({reason}); free some space, and {self._advice()}") from error

    def _advice(self) -> str:
        return "continue with --resume true" if self.path.exists() else "there is no checkpoint yet, start again"

    def _require_best_model(self, checkpoint: Mapping[str, Any]) -> None:
        """Raise `UserError` unless the model of the best epoch so far, which may remain the best, is intact."""
        best = checkpoint["evaluator"]["best_metric_epoch"]
        if self.model_dir is None or best < 0 or not is_first_rank():
            return
        if not (self.model_dir / MODEL_FILE).is_file():
            raise UserError(
                f"{self.model_dir / MODEL_FILE}: missing; {self.path.name} needs this model of epoch {best}, the best "
                "so far: restore it and its weights, or train into another --output_dir"
            )
        read_model(self.model_dir).network()

    def save(self, trainer: Engine) -> None:
        """Write the state of all objects and counters."""
        if not is_first_rank():
            return
        best: Any = self.evaluator.state
        checkpoint = {name: item.state_dict() for name, item in self.state.items()}
        checkpoint["settings"] = self.settings
        checkpoint["trainer"] = {name: getattr(trainer.state, name) for name in ("epoch", "iteration", "max_epochs")}
        checkpoint["evaluator"] = {"best_metric": best.best_metric, "best_metric_epoch": best.best_metric_epoch}
        save(checkpoint, self.path)

    def load(self, trainer: Engine) -> None:
        """Restore the state of all objects and counters, if requested and if there is a checkpoint; else write it."""
        if not (self.resume and self.path.is_file()):
            if self.resume:
                self.logger.info(f"{self.path} does not exist: training starts at epoch 1")
            self.save(trainer)
            return
        checkpoint = self._read()
        for name, item in self.state.items():
            try:
                item.load_state_dict(checkpoint[name])
            except (KeyError, ValueError, RuntimeError) as error:
                raise UserError(
                    f"{self.path} does not fit this training ({name}: {' '.join(str(error).split())[:200]}): "
                    "resume with the configuration it was written with, or give another --output_dir"
                ) from error
        for name in ("epoch", "iteration"):
            setattr(trainer.state, name, checkpoint["trainer"][name])
        for name, value in checkpoint["evaluator"].items():
            setattr(self.evaluator.state, name, value)
        self._continue_or_end(trainer, checkpoint["trainer"]["max_epochs"])

    def _read(self) -> dict[str, Any]:
        """The checkpoint; `UserError` if it is damaged or was written with other settings."""
        checkpoint = load_checkpoint(self.path)
        changed = differences(checkpoint["settings"], self.settings)
        if changed:
            raise UserError(
                f"{self.path} was written with other settings ({'; '.join(changed)}): resume with those, or with the "
                "version of this project that it was written by, or give another --output_dir"
            )
        return checkpoint

    def _continue_or_end(self, trainer: Engine, planned: int) -> None:
        """Log where the training continues, or why it does not."""
        epoch, last = trainer.state.epoch, trainer.state.max_epochs or 0
        early_stop = self.state.get("early_stop")
        if epoch >= last:
            self.logger.info(f"training is complete: {epoch} of {last} epochs; give more --max_epochs to continue")
        elif early_stop is not None and early_stop.has_stopped:
            if last <= planned:
                self.logger.info(
                    f"training stopped early after epoch {epoch}; "
                    "give more --early_stop#patience or --max_epochs to continue"
                )
                trainer.terminate()
                return
            early_stop.reset()
        else:
            self.logger.info(f"resumed {self.path} after epoch {epoch} of {last}")
