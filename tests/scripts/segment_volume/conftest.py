"""A small volume, a model for it, and the result of an uninterrupted run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch

from custom.model import write_model
from custom.networks import ValidUNet
from scripts.segment_volume import __main__ as segment_volume
from tests.models import make_model

from .stack import SHAPE, command


@pytest.fixture(scope="module")
def network() -> ValidUNet:
    torch.manual_seed(0)
    return ValidUNet(features=4, depth=2).eval()


@pytest.fixture(scope="module")
def files(network, tmp_path_factory) -> tuple[Path, Path]:
    """A volume as TIFF, and the folder of a model."""
    folder = tmp_path_factory.mktemp("files")
    tifffile.imwrite(folder / "stack.tif", np.random.default_rng(0).integers(0, 4000, SHAPE).astype(np.uint16))
    write_model(folder / "model", make_model(folder / "model", features=4, depth=2), network.state_dict())
    return folder / "stack.tif", folder / "model"


@pytest.fixture(scope="module")
def one_thread():
    """As on the workers of a cluster: sums are rounded alike, and results can be equal bit for bit."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def reference(files, one_thread, tmp_path_factory) -> Path:
    """The result of an uninterrupted run."""
    output = tmp_path_factory.mktemp("reference") / "out.zarr"
    assert segment_volume.main(command(files[0], output, files[1])) == 0
    return output
