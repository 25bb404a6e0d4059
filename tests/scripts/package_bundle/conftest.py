"""A packaged bundle, and images for it."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from custom.data import make_synthetic
from custom.model import Model
from scripts.package_bundle.__main__ import package

from .making import NAME, make_inputs


@pytest.fixture(scope="session")
def inputs(tmp_path_factory) -> tuple[Path, Model]:
    return make_inputs(tmp_path_factory.mktemp("inputs"))


@pytest.fixture(scope="session")
def archive(inputs, tmp_path_factory) -> Path:
    """A packaged bundle, zipped."""
    folder = package(inputs[1], NAME, tmp_path_factory.mktemp("dist"), str(inputs[0]))
    return folder.with_name(f"{folder.name}.zip")


@pytest.fixture
def bundle(archive, tmp_path_factory) -> Path:
    """The packaged bundle, unzipped as `monai.bundle download` does; a new copy for each test, since use adds files."""
    folder = tmp_path_factory.mktemp("unzipped")
    with zipfile.ZipFile(archive) as file:
        file.extractall(folder)
    return folder / NAME


@pytest.fixture(scope="session")
def images(tmp_path_factory) -> Path:
    """Images that are not square, and their labels, five for training and three for validation."""
    folder = tmp_path_factory.mktemp("images") / "synthetic"
    return make_synthetic(folder, seed=2, size=(70, 90), counts={"training": 5, "validation": 3})
