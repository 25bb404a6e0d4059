"""Training that starts from a model instead of from random weights."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from typing import Any

from ignite.engine import Engine, Events
from torch import Tensor, nn

from .classes import output_names
from .config import active_parser
from .data.inputs import named_channels
from .errors import UserError
from .handlers.console import NAMES, VALIDATION
from .inferers.geometry import unwrap
from .model import Model, read_model
from .networks import build_network, load_state
from .run_folder import is_first_rank

SHOWN = {**NAMES, "val_loss": VALIDATION["val_loss"]}  # of the initial model


def network_from(model: Model, outputs: int, channels: int = 1) -> nn.Module:
    """The untrained network of a model, with its last layer changed to another number of outputs if needed.

    Args:
        model: the model.
        outputs: number of classes, and one more for contact.
        channels: of an image.

    Raises:
        UserError: the model has another number of outputs, and its network no argument `out_channels`; or the model
            has another number of channels.
    """
    definition = dict(model.network_def)
    if len(model.channels) != channels:
        raise UserError(
            f"model {model.name}: takes {named_channels(model.channels)}, the data set has {channels}; choose as many "
            "by `channels` of dataset.json, or start from another model"
        )
    if len(model.output_names) != outputs:
        if definition["_target_"] != "ValidUNet":
            raise UserError(
                f"model {model.name}: its {definition['_target_']} has {len(model.output_names)} classes "
                f"({', '.join(model.output_names)}), {outputs} are needed; start from a ValidUNet, or from a model of "
                "as many classes"
            )
        definition["out_channels"] = outputs
    return build_network(definition, f"model {model.name}")


def method_from(model: Model, contact: bool, instances: bool) -> str:
    """How a fine-tuned model finds objects: as the initial one, unless that knows nothing of such objects.

    Args:
        model: the initial model.
        contact: contact is learned.
        instances: the data label instances.

    Returns:
        The model's method; the watershed instead of a contact that is not learned, and for instances instead of the
        components of a model that was never measured by instances.
    """
    method = model.postprocessing.method
    if method == "contact":
        return method if contact else "watershed"
    return "watershed" if instances and not any(score.measure == "seg" for score in model.scores) else method


def state_for(model: Model, outputs: Sequence[str]) -> dict[str, Tensor]:
    """The weights of a model, its outputs in the order of `outputs` if those are the same names in another order.

    Raises:
        UserError: the order differs, and the last layer is not known, since the network is not a ValidUNet.
    """
    state, names = model.state(), model.output_names
    if names == tuple(outputs) or not sorted(set(names)) == sorted(names) == sorted(outputs):
        return state
    if model.network_def["_target_"] != "ValidUNet":
        raise UserError(
            f"model {model.name}: its classes are {', '.join(names)}, those of the data set {', '.join(outputs)}; list "
            "the `labels` of dataset.json in the model's order, or start from a ValidUNet"
        )
    order = [names.index(name) for name in outputs]
    return state | {name: state[name][order] for name in ("classify.weight", "classify.bias")}


class StartFromModel:
    """Handler of a trainer: loads a model's weights before the first step, and keeps them if no epoch is better.

    The model is first scored on the validation images, as epoch 0, so that the best model of the run is never worse
    than the initial one, by the validation measure. A last layer with another number of classes stays random; one of
    the same classes in another order is put into that of the network.

    Args:
        network: bare or wrapped for distributed training.
        model: name or folder of the model; None: random weights, nothing is loaded.
        outputs: names of the network's outputs; None: those of the configuration that this is a component of.

    Raises:
        UserError: no such model, or it has another network.
    """

    def __init__(
        self, network: nn.Module, model: str | os.PathLike[str] | None, outputs: Sequence[str] | None = None
    ) -> None:
        self.network: Any = unwrap(network)
        self.model = None if model is None else read_model(model)
        self.logger = logging.getLogger(type(self).__name__)
        if self.model is not None:
            self._load(self.model, _outputs_of_run() if outputs is None else outputs)

    def attach(self, trainer: Engine, evaluator: Any, images: int) -> None:
        """Score the model when the training starts, and warn at its end if it did not improve.

        Attach it after the handler that restores a checkpoint: a resumed run is not scored again.
        """
        if self.model is not None and images > 0:
            trainer.add_event_handler(Events.STARTED, self.score, evaluator)
            trainer.add_event_handler(Events.COMPLETED, self.report, evaluator)

    def score(self, trainer: Engine, evaluator: Any) -> None:
        """Score the weights as they are, as epoch 0, unless training has started."""
        if trainer.state.epoch == 0:
            with evaluator.add_event_handler(Events.EPOCH_STARTED, _as_epoch_0):
                evaluator.run(1)
            metrics = evaluator.state.metrics
            scores = [f"{words} {metrics[name]:.4f}" for name, words in SHOWN.items() if name in metrics]
            if is_first_rank():
                assert self.model is not None
                self.logger.info(f"the initial model {self.model.name}: {', '.join(scores)}")

    def report(self, trainer: Engine, evaluator: Any) -> None:
        """Warn if no epoch was better than the start."""
        assert self.model is not None
        if evaluator.state.best_metric_epoch == 0:
            self.logger.warning(
                f"no epoch scored better than the initial model {self.model.name}, whose weights are kept; "
                "lower --learning_rate, or give more images"
            )

    def _load(self, model: Model, outputs: Sequence[str]) -> None:
        state, own = state_for(model, outputs), self.network.state_dict()
        last = [name for name in state if name.startswith("classify.") and state[name].shape != own[name].shape]
        if last:
            self.logger.warning(f"model {model.name} has other classes: the last layer starts from random weights")
            state |= {name: own[name] for name in last}
        load_state(self.network, state, model.weights_path())


def _outputs_of_run() -> tuple[str, ...]:
    value = active_parser().get_parsed_content
    return output_names(value("data").class_names, value("contact"))


def _as_epoch_0(evaluator: Engine) -> None:
    """Give the epoch that begins the number 0, which MONAI's evaluator cannot be asked for: it counts from 1."""
    evaluator.state.epoch = evaluator.state.max_epochs = 0  # max_epochs: and end after it
