"""Conversion to gray values for all dtypes; the contrast of a model keeps blank images blank."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from custom.data import GrayRule, contrast_of, to_gray
from custom.errors import UserError

SHAPE = (37, 53)


@pytest.fixture
def gray() -> np.ndarray:
    return np.random.default_rng(0).integers(3, 250, SHAPE, dtype=np.uint8)


def test_gray_does_not_depend_on_bit_depth_gain_or_offset(gray: np.ndarray) -> None:
    expected = to_gray(gray)
    assert expected.dtype == np.float32
    assert (expected.min(), expected.max()) == (0, 1)
    np.testing.assert_array_equal(to_gray(gray.astype(np.uint16) * 257), expected)
    np.testing.assert_array_equal(to_gray(gray.astype(np.uint16) * 16 + 300), expected)
    np.testing.assert_array_equal(to_gray(gray.astype(np.int16) * 200 - 20000), expected)
    np.testing.assert_allclose(to_gray((gray / 255).astype(np.float32)), expected, atol=1e-6)
    np.testing.assert_allclose(to_gray(gray / 255), expected, atol=1e-6)


def test_gray_of_equal_channels_is_that_channel(gray: np.ndarray) -> None:
    rgb = np.dstack([gray] * 3)
    np.testing.assert_array_equal(to_gray(rgb), to_gray(gray))
    np.testing.assert_array_equal(to_gray(np.dstack([rgb, 255 - gray])), to_gray(gray))
    np.testing.assert_array_equal(to_gray(np.dstack([gray, 255 - gray])), to_gray(gray))
    np.testing.assert_array_equal(to_gray(gray[..., None]), to_gray(gray))


def test_gray_of_colours_is_rec_601_luma() -> None:
    colours = np.array([[[0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]], np.uint8)
    np.testing.assert_allclose(to_gray(colours)[0], [0, 0.299, 0.587, 0.114, 1], atol=1e-6)


def test_gray_of_constant_and_of_hot_pixels(gray: np.ndarray) -> None:
    np.testing.assert_array_equal(to_gray(np.full(SHAPE, 7, np.uint8)), np.zeros(SHAPE))
    hot = np.tile(gray, (10, 10)).astype(np.uint16)
    hot[5, 5] = 65535
    assert (
        np.abs(
            np.delete(to_gray(hot).ravel(), 5 * hot.shape[1] + 5)
            - np.delete(to_gray(np.tile(gray, (10, 10))).ravel(), 5 * hot.shape[1] + 5)
        ).max()
        < 0.02
    )
    sparse = np.zeros((100, 90), np.uint8)
    sparse[3, 4] = 9
    assert to_gray(sparse)[3, 4] == 1


def test_gray_refuses_other_shapes() -> None:
    for shape in [(5,), (4, 5, 6), (2, 3, 4, 3)]:
        with pytest.raises(UserError, match="has shape"):
            to_gray(np.zeros(shape))


@pytest.mark.parametrize("top", [3e38, 1.7e308])
def test_extreme_floats_give_finite_gray_values(top: float) -> None:
    image = (np.linspace(-1, 1, 37 * 53) * top).reshape(SHAPE).astype(np.float32 if top < 1e39 else np.float64)
    result = to_gray(image)
    np.testing.assert_allclose(result, np.linspace(0, 1, 37 * 53).reshape(SHAPE), atol=2e-3)
    np.testing.assert_allclose(to_gray(np.dstack([image] * 3)), result, atol=1e-6)


def _noise(level: int, sigma: float, dtype: str = "uint8") -> np.ndarray:
    return np.round(np.random.default_rng(1).normal(level, sigma, (90, 70))).astype(dtype)


@pytest.mark.parametrize(("level", "dtype"), [(128, "uint8"), (3, "uint8"), (800, "uint16"), (60000, "uint16")])
def test_a_blank_image_is_not_stretched(level: int, dtype: str) -> None:
    blank = _noise(level, 0.6, dtype)
    assert to_gray(blank).std() > 0.1
    with pytest.warns(UserWarning, match=r"blank.png: has .* not stretched"):
        result = GrayRule(contrast=0.4)(blank, "blank.png")
    assert np.abs(result - 0.5).max() < 0.05


def test_a_constant_image_is_not_stretched_either() -> None:
    with pytest.warns(UserWarning, match="0.0% of the full scale"):
        np.testing.assert_array_equal(GrayRule(contrast=0.4)(np.full(SHAPE, 7, np.uint8)), np.full(SHAPE, 0.5))


@pytest.mark.parametrize("gain", [1, 4, 16, 64, 257])
def test_an_image_of_the_trained_contrast_is_stretched_at_every_bit_depth(gray: np.ndarray, gain: int) -> None:
    deep = gray.astype(np.uint16) * gain
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(GrayRule(contrast=1.0)(deep), to_gray(gray))


def test_floating_point_images_are_always_stretched() -> None:
    blank = _noise(128, 0.6).astype(np.float32)
    np.testing.assert_array_equal(GrayRule(contrast=0.9)(blank), to_gray(blank))


def test_a_low_contrast_image_is_scaled_as_a_training_image() -> None:
    image = np.tile(np.arange(100, 110, dtype=np.uint8), (37, 5))
    with pytest.warns(UserWarning, match="not stretched"):
        result = GrayRule(contrast=0.5)(image)
    np.testing.assert_allclose(result, 0.5 + (image - 104.5) / (0.5 * 255), atol=1e-6)


def test_contrast_is_the_median_share_of_the_bit_depth_in_use(gray: np.ndarray) -> None:
    low, high = np.percentile(gray, (0.1, 99.9), method="nearest")
    share = (high - low) / 255
    assert contrast_of([gray]) == pytest.approx(share)
    assert contrast_of([np.dstack([gray] * 3)]) == pytest.approx(share)
    assert contrast_of([gray.astype(np.uint16) * 16]) == pytest.approx(share * 255 * 16 / 4095)
    assert contrast_of([gray // 4, gray, gray // 2]) == pytest.approx(share / 2, abs=0.01)
    assert contrast_of([gray / 255, np.zeros(SHAPE, np.uint8)]) is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"percentiles": (5, 5)}, "percentiles: got"),
        ({"percentiles": (-1, 50)}, "percentiles: got"),
        ({"percentiles": (1, 101)}, "percentiles: got"),
        ({"percentiles": (1, 50, 99)}, "percentiles: got"),
        ({"contrast": 0}, "contrast: got 0"),
        ({"contrast": 1.5}, "contrast: got 1.5"),
    ],
)
def test_impossible_rules_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        GrayRule(**arguments)


def test_percentiles_of_the_rule_are_used(gray: np.ndarray) -> None:
    result = GrayRule(percentiles=[25, 75])(gray)
    assert (result == 0).mean() == pytest.approx(0.25, abs=0.02)
    assert (result == 1).mean() == pytest.approx(0.25, abs=0.02)
