"""Layers of pictures, as a browser decodes them."""

from __future__ import annotations

import numpy as np
import pytest

from custom.report import layers
from custom.report.layers import make_views, uncertainty, worst_windows

from .samples import decode, make_picture, numbers


def test_objects_and_probabilities_are_kept_to_the_value():
    picture = make_picture(shift=3)
    picture.label[picture.label == 7] = 70_000
    (view,) = make_views(picture)
    np.testing.assert_array_equal(numbers(view["layers"]["prediction"]), picture.prediction)
    label = np.where(picture.label < 0, layers.IGNORED, picture.label)
    np.testing.assert_array_equal(numbers(view["layers"]["label"]), label)
    np.testing.assert_array_equal(decode(view["layers"]["probability"])[..., 0], np.rint(255 * picture.probability))
    assert np.abs(decode(view["layers"]["gray"])[..., 0] - 255 * picture.gray).max() < 12
    assert (view["top"], view["left"], view["step"], view["height"], view["width"]) == (0, 0, 1, 60, 90)


def test_an_image_without_a_label_has_no_such_layer():
    (view,) = make_views(make_picture(labelled=False))
    assert set(view["layers"]) == {"gray", "probability", "prediction"}


def test_a_large_image_is_reduced_and_its_worst_place_is_not(monkeypatch):
    monkeypatch.setattr(layers, "LONGEST_SIDE", 40)
    monkeypatch.setattr(layers, "CROP_SIDE", 32)
    picture = make_picture(shift=0)
    picture.prediction[40:44, 70:80] = 9
    whole, part = make_views(picture)
    assert (whole["step"], whole["height"], whole["width"]) == (3, 20, 30)
    np.testing.assert_array_equal(numbers(whole["layers"]["prediction"]), picture.prediction[::3, ::3])
    assert (part["top"], part["left"], part["step"], part["height"], part["width"]) == (32, 64, 1, 28, 26)
    np.testing.assert_array_equal(numbers(part["layers"]["prediction"]), picture.prediction[32:60, 64:90])


def test_reduction_takes_the_mean(monkeypatch):
    monkeypatch.setattr(layers, "LONGEST_SIDE", 45)
    picture = make_picture(shift=0)
    picture.probability[::2] = 0.2
    picture.probability[1::2] = 0.4
    view = make_views(picture)[0]
    assert view["step"] == 2
    np.testing.assert_allclose(decode(view["layers"]["probability"])[..., 0], 0.3 * 255, atol=1)


def test_windows_lie_inside_and_without_errors_there_are_none(monkeypatch):
    monkeypatch.setattr(layers, "CROP_SIDE", 32)
    assert worst_windows(make_picture(shift=0)) == []
    for top, left, height, width in worst_windows(make_picture(shift=20)):
        assert top + height <= 60
        assert left + width <= 90


@pytest.mark.parametrize(("probability", "bits"), [(0.0, 0.0), (1.0, 0.0), (0.5, 1.0), (0.25, 0.811278)])
def test_uncertainty_is_the_entropy_in_bits(probability, bits):
    assert uncertainty(np.full((2, 3), probability)) == pytest.approx(np.full((2, 3), bits), abs=1e-6)
