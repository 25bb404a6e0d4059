"""Trained weights: read from files of PyTorch, checked, and loaded."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from ..errors import UserError


def load_state(network: nn.Module, state: Mapping[str, Tensor], path: Path) -> None:
    """Load weights into a network; errors name `path`.

    Raises:
        UserError: the weights do not fit the network, or are not finite.
    """
    own = network.state_dict()
    for name in sorted(own.keys() | state.keys()):
        has = [tuple(weights[name].shape) if name in weights else "missing" for weights in (own, state)]
        if has[0] != has[1]:
            raise UserError(
                f"{path}: does not fit the network: {name} is {has[0]} in the network and {has[1]} in the file; "
                "give weights of the network that model.json describes"
            )
        if not state[name].isfinite().all():
            raise UserError(f"{path}: {name} has values that are not finite; the training diverged, or the file broke")
    network.load_state_dict(dict(state))


def read_state(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Read a state dict from a file of PyTorch: a flat one, or a training checkpoint, whose `"network"` is taken.

    Only tensors are unpickled.

    Raises:
        UserError: the file is missing or broken.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such weights; train first, or give the file of a training")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # unpicklers raise many kinds of exceptions for damaged files
        raise UserError(f"{path}: not a file of PyTorch weights ({type(error).__name__}); restore it") from error
    if isinstance(state, dict) and isinstance(state.get("network"), dict):
        state = state["network"]
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise UserError(f"{path}: holds no state dict of weights; give the model.pt or checkpoint.pt of a training")
    return state
