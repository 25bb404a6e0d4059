"""Small models for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from custom.describe import data_format
from custom.model import ClassInfo, Model, write_model
from custom.networks import build_network


def make_model(folder: Path, features: int = 2, depth: int = 1, half: bool = False, **changes: Any) -> Model:
    """Write a model with random weights into a folder; `changes` replace fields of its `model.json`."""
    definition = {"_target_": "ValidUNet", "features": features, "depth": depth}
    network = build_network(changes.get("network_def", definition), "test")
    model = Model(
        name="tiny",
        description="A random network.",
        task="Segmentation of background, cell in 2D microscopy images",
        authors="A. Author",
        copyright="Copyright (c) A. Author",
        license="Terms of the tiny data",
        data_source="A tiny data set",
        references=["Author, A. (2026). Tiny data."],
        monai_version="1.6.1",
        pytorch_version="2.13.0",
        numpy_version="2.4.6",
        network_def=definition,
        network_data_format=data_format(network, ("background", "cell"), ("gray values",)),
        classes=[ClassInfo(name="background", value=0), ClassInfo(name="cell", value=255)],
        training={"experiment": "quick", "border_width": 3},
    )
    state = network.state_dict()
    if half:
        state = {name: value.half() for name, value in state.items()}
    return write_model(folder, model.model_copy(update=changes), state)


def shift(model: Model, name: str = "classify.bias", by: float = 1.0) -> None:
    """Write the model anew with one of its weights moved."""
    state = model.state()
    state[name] = state[name] + torch.tensor(by, dtype=state[name].dtype)
    assert model.folder is not None
    write_model(model.folder, model, state)
