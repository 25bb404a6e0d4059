"""The working grid: its ends coincide with those of the image, and every image pixel is between two of its pixels."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.transform import rescale

from custom.data.scale import WorkingAxis, anti_alias, check_scale
from custom.errors import UserError

SCALES = [0.1, 0.5, 0.73, 1.0, 1.6, 4.0]


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("size", [1, 2, 3, 7, 100, 101, 512])
def test_both_grids_end_together(size, scale):
    axis = WorkingAxis(size, scale)
    assert (axis.working_size - 1) * axis.step == pytest.approx(size - 1)
    assert abs(axis.working_size - 1 - (size - 1) * scale) <= 0.5 or axis.working_size == 2
    whole = axis.around(0, size)
    assert (whole.start, whole.stop) == (0, axis.working_size)


def test_scale_one_is_the_image_itself():
    assert [WorkingAxis(n, 1.0).working_size for n in range(1, 50)] == list(range(1, 50))
    assert WorkingAxis(37, 1.0).step == 1


@pytest.mark.parametrize("scale", SCALES)
def test_around_encloses_the_window(scale):
    axis = WorkingAxis(101, scale)
    for start, stop in [(0, 1), (100, 101), (13, 14), (13, 40), (50, 101)]:
        part = axis.around(start, stop)
        assert 0 <= part.start < part.stop - 1 < axis.working_size
        assert part.start * axis.step <= start
        assert (part.stop - 1) * axis.step >= stop - 1 - 1e-9


@pytest.mark.parametrize("scale", [0.0, -1.0, 17.0, float("nan"), "half", True])
def test_bad_scale(scale):
    with pytest.raises(UserError, match="scale"):
        check_scale(scale)


def test_blur_is_that_of_scikit_image():
    """`rescale` at one third samples the pixels 1, 4, 7, ... after the same Gaussian."""
    image = np.random.RandomState(0).random_sample((30, 45)).astype(np.float32)
    expected = rescale(image, 1 / 3, order=0, anti_aliasing=True, mode="reflect")
    found = anti_alias(image[None], 1 / 3)[0, 1::3, 1::3]
    np.testing.assert_allclose(found[2:-2, 2:-2], expected[2:-2, 2:-2], atol=1e-5)
    assert anti_alias(image, 1.0) is image
    assert anti_alias(image, 2.0) is image
