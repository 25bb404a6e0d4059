"""Saving of the best model by validation, with the threshold and the scores found there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ignite.engine import Engine, Events
from torch import nn

from ..classes import class_keys
from ..inferers.geometry import unwrap
from ..inferers.orientations import in_words
from ..model import Model, Score, write_model
from ..run_folder import is_first_rank
from ..wording import counted
from .checkpoint import save
from .console import NAMES
from .smoothed_score import VALIDATIONS

# A threshold at the ends of the scale would make everything foreground, or nothing.
LOWEST, HIGHEST = 0.05, 0.95
SCORES = ("pixel_error", "iou")


class BestModelSaver:
    """Handler of an evaluator: writes `model.json` and weights whenever the key metric is the best so far.

    The threshold of a model of two classes is the best one on the validation images by the measure that the weights
    are chosen by; of more classes it stays 0.5, which gives the likeliest. The evaluator keeps track of the best epoch,
    which :class:`TrainingCheckpoint` saves and restores.

    Args:
        network: the network, bare or wrapped for distributed training.
        folder: output folder of the model.
        model: description of the model before the training, see `custom.describe.describe_run`.
        flat_weights: file for another copy of the weights, as the flat PyTorch state dict that MONAI's model zoo and
            MONAI Label expect. A TorchScript file beside it is removed, because it holds older weights.
        best_by: measure that the weights are chosen by: "pixel_error", "v_rand" or "seg".
        orientations: rotated and mirrored versions of an image that a validation averages.

    Raises:
        UserError: a file cannot be written.
    """

    def __init__(
        self,
        network: nn.Module,
        folder: str | os.PathLike[str],
        model: Model,
        flat_weights: str | os.PathLike[str] | None = None,
        best_by: str = "pixel_error",
        orientations: int = 1,
    ) -> None:
        self.network = network
        self.folder = Path(folder)
        self.model = model
        self.best_by = best_by
        self.orientations = orientations
        self.flat_weights = None if flat_weights is None else Path(flat_weights)

    def attach(self, evaluator: Engine) -> None:
        """Save at the end of every evaluation that is the best so far."""
        evaluator.add_event_handler(Events.EPOCH_COMPLETED, self)

    def attach_to_trainer(self, trainer: Engine, evaluator: Engine) -> None:
        """Save the final weights at the end of a training without validation."""
        trainer.add_event_handler(Events.COMPLETED, self.save_last, evaluator)

    def __call__(self, evaluator: Engine) -> None:
        state: Any = evaluator.state
        if state.best_metric_epoch == state.epoch:
            self.save(state.metrics, state.epoch)

    def save_last(self, trainer: Engine, evaluator: Engine) -> None:
        """Save the current weights if no validation saved any."""
        if evaluator.state.best_metric_epoch == -1:  # type: ignore[attr-defined]
            self.save({}, trainer.state.epoch)

    def save(self, metrics: dict[str, Any], epoch: int) -> None:
        """Write the model with the scores of one evaluation."""
        if not is_first_rank():
            return
        network: Any = unwrap(self.network)
        model = self.model.model_copy(deep=True)
        model.training["epoch"] = epoch
        count = model.training.get("validation_images", 0)
        where = f"{counted(count, 'validation image')} of {model.data_source}, {in_words(self.orientations)}"
        names = list(dict.fromkeys([self.best_by, *SCORES]))
        if len(model.classes) > 2:
            keys = class_keys([part.name for part in model.classes])
            names += [f"{score}_{key}" for score in SCORES for key in keys]
        smoothed = "" if self.best_by == "pixel_error" else f", as the mean of up to {VALIDATIONS} validations"
        chosen = f"{where}; the weights were chosen by it{smoothed}"
        model.scores = [
            Score(measure=name, value=float(metrics[name]), on=chosen if name == self.best_by else where)
            for name in names
            if name in metrics
        ]
        if f"{self.best_by}_threshold" in metrics:
            threshold = round(float(metrics[f"{self.best_by}_threshold"]), 6)
            model.postprocessing.threshold = min(max(threshold, LOWEST), HIGHEST)
            model.postprocessing.fitted_on = f"{NAMES[self.best_by]} on {where}"
        write_model(self.folder, model, network.state_dict())
        if self.flat_weights is not None:
            save(network.state_dict(), self.flat_weights)
            self.flat_weights.with_suffix(".ts").unlink(missing_ok=True)
