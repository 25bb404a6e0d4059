"""Predictions of two classes and of more: foreground, one class a pixel, words for their scores."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from custom.classes import as_prediction, class_keys, classes_of, foreground_of

SHAPE = (9, 13)


def soft_max(classes: int) -> np.ndarray:
    generator = np.random.default_rng(classes)
    return np.asarray(torch.softmax(torch.from_numpy(3 * generator.standard_normal((classes, *SHAPE))), 0))


@pytest.mark.parametrize("convert", [np.asarray, torch.from_numpy])
@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.9])
def test_two_classes_are_thresholded(convert, threshold):
    probability = convert(soft_max(2))
    prediction = as_prediction(probability)
    np.testing.assert_array_equal(prediction, 1 - probability[:1])
    np.testing.assert_array_equal(foreground_of(prediction), prediction)
    classes = classes_of(prediction, threshold)
    np.testing.assert_array_equal(classes, np.asarray(prediction) >= threshold)
    assert classes.dtype == prediction.dtype


@pytest.mark.parametrize("convert", [np.asarray, torch.from_numpy])
@pytest.mark.parametrize("classes", [3, 5])
def test_of_more_classes_the_likeliest_is_taken(convert, classes):
    probability = convert(soft_max(classes))
    prediction = as_prediction(probability)
    assert prediction is probability
    found = classes_of(prediction)
    assert tuple(found.shape) == (1, *SHAPE)
    np.testing.assert_array_equal(found[0], np.asarray(probability).argmax(axis=0))
    assert set(np.unique(found)) == set(range(classes))


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.7, 0.95])
def test_the_threshold_weighs_the_first_class_against_the_likeliest_other(threshold):
    probability = soft_max(4)
    weighed = probability * np.array([threshold, *[1 - threshold] * 3])[:, None, None]
    np.testing.assert_array_equal(classes_of(probability, threshold)[0], weighed.argmax(axis=0))
    foreground = foreground_of(probability)
    np.testing.assert_array_equal(classes_of(probability, threshold) > 0, foreground >= threshold)


def test_the_rule_of_more_classes_is_that_of_two():
    """As if two classes were more: soft-max probabilities of two, taken whole."""
    whole = soft_max(2)
    np.testing.assert_allclose(foreground_of(np.concatenate([whole, np.zeros((1, *SHAPE))])), 1 - whole[:1])


def test_words_for_classes():
    assert class_keys(["membrane", "cell body", "µ-tubule"]) == ["membrane", "cell_body", "µ_tubule"]
    assert class_keys(["a b", "a-b", "threshold", "()"]) == ["a_b_0", "a_b_1", "threshold_2", "class"]
    assert class_keys(["cell 0", "cell+", "cell-"]) == ["cell_0", "cell_1", "cell_2"]
    assert class_keys(["a 1", "a+", "a-"]) == ["a_1", "a_2", "a_3"]
    assert class_keys(["a+", "a-", "a 2", "a-"]) == ["a_0", "a_1", "a_2", "a_3"]
