"""Reference values of the original tools, and small random stacks for the oracles."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def reference() -> Path:
    """Folder with `isbi` and `ctc` reference values, named by the environment variable UNET_REFERENCE."""
    folder = os.environ.get("UNET_REFERENCE")
    if not folder:
        pytest.skip("UNET_REFERENCE is not set: the tests on the original tools' values need it")
    return Path(folder)
