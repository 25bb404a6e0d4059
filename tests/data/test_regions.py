"""Regions of a mask are counted by value."""

from __future__ import annotations

import numpy as np

from custom.data.regions import count_regions


def test_regions_touch_at_corners() -> None:
    mask = np.array([[5, 0, 2, 0, 2], [0, 5, 0, 0, 0]])
    assert count_regions(mask) == {5: 1, 2: 2}
