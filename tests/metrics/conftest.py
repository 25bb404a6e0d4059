"""Reference values of the original tools, and small random stacks for the oracles."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter


@pytest.fixture(scope="session")
def reference() -> Path:
    """Folder with `isbi` and `ctc` reference values, named by the environment variable UNET_REFERENCE."""
    folder = os.environ.get("UNET_REFERENCE")
    if not folder:
        pytest.skip("UNET_REFERENCE is not set: the tests on the original tools' values need it")
    return Path(folder)


SIZES = [(9, 6), (5, 13), (1, 8), (7, 1)]


def stack(seed: int) -> tuple[list[NDArray], list[NDArray]]:
    """Labels and proposals (float32, many on a grid of 0.1 exactly) of some small images of different sizes."""
    random = np.random.RandomState(seed)
    sizes = [SIZES[i] for i in random.randint(len(SIZES), size=random.randint(1, 4))]
    labels = [(gaussian_filter(random.normal(size=size), 0.7) > -0.2).astype(np.uint8) for size in sizes]
    proposals = [np.clip(label + random.normal(0, 0.5, label.shape), 0, 1).astype(np.float32) for label in labels]
    return labels, [np.where(random.rand(*p.shape) < 0.3, p.round(1), p).astype(np.float32) for p in proposals]


def flat(label: float, proposal: float) -> tuple[list[NDArray], list[NDArray]]:
    """A stack of two images, all of one value."""
    return [np.full(size, label) for size in SIZES[:2]], [np.full(size, proposal) for size in SIZES[:2]]


def half(proposal: float) -> tuple[list[NDArray], list[NDArray]]:
    """A label of two classes, a proposal of one value."""
    label = np.zeros((6, 9))
    label[:, :4] = label[:3, 6:] = 1
    return [label], [np.full((6, 9), proposal)]


STACKS = {
    **{f"random {seed}": stack(seed) for seed in range(8)},
    **{f"label {a}, proposal {b}": flat(a, b) for a in (0, 1) for b in (0, 0.5, 1)},
    **{f"two objects, proposal {b}": half(b) for b in (0, 0.5, 1)},
}


@pytest.fixture(params=STACKS)
def small_stack(request: pytest.FixtureRequest) -> tuple[list[NDArray], list[NDArray]]:
    """Labels and proposals of a small stack: random ones, and degenerate ones of one class."""
    return STACKS[request.param]
