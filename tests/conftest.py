"""Fixtures that several test files use."""

from __future__ import annotations

import logging
import os
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

# Before PyTorch is imported, and for the programs that tests start, too: the networks of tests are small, and
# `make test` runs as many tests at once as there are cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from custom.data import make_synthetic

# The same cases in each run, so that a change is judged by itself; `python -m tests.robustness --seed N` tries others.
settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def same_start() -> None:
    """A test finds the same random numbers and all logs, whichever tests ran before it."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    logging.disable(logging.NOTSET)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder with `isbi2012`, `DIC-C2DH-HeLa` and `PhC-C2DH-U373`, named by the environment variable UNET_DATA."""
    folder = os.environ.get("UNET_DATA")
    if not folder:
        pytest.skip("UNET_DATA is not set: the tests on the real data sets need it")
    return Path(folder)


@pytest.fixture(scope="session")
def tiny_dataset(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "tiny"
    return make_synthetic(folder, seed=1, size=(96, 120), counts={"training": 3, "validation": 2, "test": 1})
