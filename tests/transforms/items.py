"""An item with image, label and weight, and the elastic grid for it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from custom.transforms import RandElasticGridd

SHAPE, WINDOW, INNER = (60, 83), (97, 65), (41, 33)


MARGIN = np.array([28, 16])  # from the window to its centre INNER


KEYS = ("image", "label", "weight")


FULL: dict[str, Any] = {"rotate_range": math.pi, "flip_prob": 0.5, "scale_range": 0.2, "shift_range": 5.0}


def make_item(seed: int = 0, shape: tuple[int, int] = SHAPE) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "image": rng.random((1, *shape), dtype=np.float32),
        "label": rng.integers(0, 9, (1, *shape)).astype(np.uint8),
        "weight": rng.random((1, *shape), dtype=np.float32),
    }


def make_transform(**changes: Any) -> RandElasticGridd:
    arguments: dict[str, Any] = {
        "spatial_size": [WINDOW, INNER, INNER],
        "mode": ["cubic", "nearest", "linear"],
        "center": "uniform",
    }
    return RandElasticGridd(KEYS, **(arguments | changes))
