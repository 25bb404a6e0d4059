"""Networks from their definitions in `model.json`; only known classes, since the file may be untrusted."""

from __future__ import annotations

from typing import Any

import monai.networks.nets
from torch import nn

from ..errors import UserError
from .ensemble import Ensemble
from .same_padding import SamePaddingNetwork
from .valid_unet import ValidUNet

OWN_NETWORKS: dict[str, type[nn.Module]] = {
    "ValidUNet": ValidUNet,
    "SamePaddingNetwork": SamePaddingNetwork,
    "Ensemble": Ensemble,
}


def short_targets(definition: Any) -> Any:
    """A `network_def` with class names without modules, which differ between a repository and a packaged bundle."""
    if isinstance(definition, list):
        return [short_targets(part) for part in definition]
    if not isinstance(definition, dict):
        return definition
    short = {key: short_targets(value) for key, value in definition.items()}
    if "_target_" in short:
        short["_target_"] = short["_target_"].rpartition(".")[2]
    return short


def build_network(definition: Any, source: str) -> Any:
    """The network of a definition: a dictionary with the class's name under `_target_` and its arguments.

    Args:
        definition: classes are `ValidUNet`, `SamePaddingNetwork`, `Ensemble` and those of `monai.networks.nets`;
            arguments that are such dictionaries, or lists of them, are built first.
        source: file that errors name.

    Raises:
        UserError: a class that is not allowed, or arguments that it does not take.
    """
    if isinstance(definition, list):
        return [build_network(part, source) for part in definition]
    if not isinstance(definition, dict) or "_target_" not in definition:
        return definition
    name = str(definition["_target_"])
    kind = OWN_NETWORKS.get(name) or getattr(monai.networks.nets, name, None)
    if not (isinstance(kind, type) and issubclass(kind, nn.Module)):
        own = ", ".join(OWN_NETWORKS)
        raise UserError(f"{source}: network_def names {name!r}; allowed are {own} and MONAI's networks")
    arguments = {key: build_network(value, source) for key, value in definition.items() if not key.startswith("_")}
    try:
        network: Any = kind(**arguments)
        network.definition = definition  # for the model.json of a fine-tuned model
        return network
    except (TypeError, ValueError, UserError) as error:
        raise UserError(f"{source}: network_def does not make a {name} ({error}); correct its arguments") from error
