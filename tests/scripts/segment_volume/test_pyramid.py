"""The levels of a pyramid."""

from __future__ import annotations

import numpy as np

from scripts.segment_volume import pyramid


def test_odd_sizes_repeat_the_last_pixel():
    block = np.array([[1.0, 3, 5], [5, 7, 9], [2, 4, 8]])
    np.testing.assert_array_equal(pyramid.mean_2x2(block), [[4, 7], [3, 8]])
    np.testing.assert_array_equal(pyramid.every_second(block), [[1, 5], [2, 8]])
