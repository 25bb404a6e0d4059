"""The maxima of scikit-image, also where they are equally high."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from skimage.morphology import h_maxima

from custom.transforms.high_maxima import high_maxima


def smooth(random: np.random.Generator) -> np.ndarray:
    """Hills of many heights, some of which meet in the background."""
    hills = 40 * ndimage.gaussian_filter(random.random((14, 19)), 1)
    return hills * (random.random(hills.shape) > 0.2)


def steps(random: np.random.Generator) -> np.ndarray:
    """Plateaus, and maxima of exactly one height."""
    return random.integers(0, 7, random.integers(2, 10, size=2)).astype(float)


@pytest.mark.parametrize("make", [smooth, steps])
@pytest.mark.parametrize("height", [0.5, 1.0, 3.0, 30.0])
def test_maxima_are_those_of_scikit_image(make, height):
    random = np.random.default_rng(7)
    for _ in range(100):
        elevation = make(random)
        expected = h_maxima(elevation, height).astype(bool)
        np.testing.assert_array_equal(high_maxima(elevation, height), expected, err_msg=str(elevation))


def test_of_two_peaks_the_lower_one_counts_where_it_rises_enough():
    row = np.array([[0, 9.0, 4, 7, 0, 2, 0]])
    for height, peaks in ((2.0, [1, 3, 5]), (3.0, [1, 3]), (3.5, [1]), (10.0, [])):
        assert np.flatnonzero(high_maxima(row, height)).tolist() == peaks
