"""Small models for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from custom.describe import data_format
from custom.model import ClassInfo, Model, write_model
from custom.networks import build_network

TWO_CHANNELS, THREE_CLASSES = ["DNA", "actin µ"], {"ground": 0, "body": 100, "core": 300}


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


def make_three_class_model(folder: Path) -> Model:
    """A model of two channels, DNA and actin µ, and three classes with the mask values 0, 100 and 300."""
    torch.manual_seed(0)
    return make_model(
        folder,
        network_def={"_target_": "ValidUNet", "features": 4, "depth": 1, "in_channels": 2, "out_channels": 3},
        classes=[ClassInfo(name=name, value=value) for name, value in THREE_CLASSES.items()],
        channels=TWO_CHANNELS,
    )


def make_contact_model(folder: Path) -> Model:
    """A model of two classes and contact between cells."""
    torch.manual_seed(0)
    return make_model(
        folder,
        network_def={"_target_": "ValidUNet", "features": 4, "depth": 1, "out_channels": 3},
        contact=True,
    )


def shift(model: Model, name: str = "classify.bias", by: float = 1.0) -> None:
    """Write the model anew with one of its weights moved."""
    state = model.state()
    state[name] = state[name] + torch.tensor(by, dtype=state[name].dtype)
    assert model.folder is not None
    write_model(model.folder, model, state)
