"""Loading trained weights, checked."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import torch
from torch import nn

from ..errors import UserError

CHECKSUMS = "SHA256SUMS"


def load_weights(network: nn.Module, path: str | os.PathLike[str]) -> None:
    """Load the weights of :func:`read_state` into ``network``; half precision is widened to the network's own.

    Raises:
        UserError: the file is missing, broken, altered, or of another network; the message says which layer differs.
    """
    state = read_state(path)
    _check_fit(network, state, Path(path))
    network.load_state_dict(state)


def read_state(path: str | os.PathLike[str]) -> dict[str, torch.Tensor]:
    """Read a state dict from a file: a flat one, or a training checkpoint, whose ``"network"`` is taken.

    If the folder holds ``SHA256SUMS`` (of ``sha256sum``) and the file is named there, its checksum must agree. Only
    tensors are unpickled.

    Raises:
        UserError: the file is missing, broken or altered.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such weights; train first, or give the path of a model.pt with --weights")
    _check_sum(path)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what an unpickler raises depends on which bytes are wrong
        raise UserError(f"{path} is not a file of PyTorch weights ({type(error).__name__}): fetch it again") from error
    if isinstance(state, dict) and isinstance(state.get("network"), dict):
        state = state["network"]
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise UserError(f"{path} holds no state dict of weights: give the model.pt of a training")
    return state


def _check_sum(path: Path) -> None:
    sums = path.with_name(CHECKSUMS)
    if not sums.is_file():
        return
    for line in sums.read_text().splitlines():
        expected, _, name = line.partition("  ")
        if name == path.name and hashlib.sha256(path.read_bytes()).hexdigest() != expected:
            raise UserError(f"{path} is damaged: its SHA-256 is not the one in {sums}; fetch it again")


def _check_fit(network: nn.Module, state: dict[str, torch.Tensor], path: Path) -> None:
    own = network.state_dict()
    for name in sorted(own.keys() | state.keys()):
        has = [tuple(weights[name].shape) if name in weights else "nothing" for weights in (own, state)]
        if has[0] != has[1]:
            raise UserError(
                f"{path} does not fit the network: {name} is {has[0]} in the network and {has[1]} in the file; "
                "give the experiment's config or --network_def arguments that the weights were trained with"
            )
