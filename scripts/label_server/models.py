"""A model by name or folder, packaged for the server on this machine."""

from __future__ import annotations

import re
from pathlib import Path

from custom.errors import UserError
from custom.model import Model, read_model

from ..package_bundle.__main__ import BUNDLE, package

PACKAGES = "packages"
SHORT = "finetune"  # an experiment that starts from a model


def package_model(name: str, app: Path) -> str:
    """Path of the bundle of a model, made in the app's folder unless it is there already.

    Raises:
        UserError: no such model, or another one of that name, or the same with other settings, was packaged before.
    """
    model = read_model(name)
    bundle = "unet_" + re.sub(r"\W", "_", model.name, flags=re.ASCII)
    folder = app / PACKAGES / bundle
    model.authors = model.authors or "not stated"  # the bundle stays on this machine
    if not folder.is_dir():
        return str(package(model, bundle, app / PACKAGES, experiment_of(model)))
    if read_model(folder / "models") != model.model_copy(update={"folder": folder / "models"}):
        raise UserError(
            f"--model {name}: {folder} holds another model of that name, or this one with other settings, as it was "
            "packaged before; remove that folder, or give another --app"
        )
    return str(folder)


def experiment_of(model: Model) -> str:
    """The experiment by which the server trains a model: its own, or a short one if that was a user's overlay."""
    own = str(model.training.get("experiment"))
    return own if (BUNDLE / "configs" / "experiments" / f"{own}.json").is_file() else SHORT
