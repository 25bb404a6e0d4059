"""Missed, split, merged and invented objects: known changes of a perfect segmentation, and invariances."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from custom.metrics import object_errors, seg
from custom.metrics.object_errors import KINDS

images = arrays(np.int64, (5, 7), elements=st.integers(0, 4))


@pytest.fixture
def label():
    """Four objects, two of which touch."""
    image = np.zeros((20, 31), np.int64)
    image[2:8, 2:8], image[2:8, 8:16], image[12:18, 3:9], image[12:18, 20:30] = 7, 2, 5, 900
    return image


def summary(label, prediction, valid=None):
    return [(error.kind, error.labels, error.predictions) for error in object_errors(label, prediction, valid)]


def test_the_label_itself_has_no_errors(label):
    assert object_errors(label, label) == []
    assert object_errors(label, label * 3) == []


def test_an_object_taken_away_is_missed(label):
    (error,) = object_errors(label, np.where(label == 5, 0, label))
    assert (error.kind, error.labels, error.predictions) == ("missed", (5,), ())
    assert error.box == (12, 3, 18, 9)
    assert error.pixels == 36


def test_an_object_in_the_background_is_invented(label):
    prediction = label.copy()
    prediction[10:12, 12:15] = 4
    (error,) = object_errors(label, prediction)
    assert (error.kind, error.labels, error.predictions) == ("invented", (), (4,))
    assert error.box == (10, 12, 12, 15)
    assert error.pixels == 6


def test_two_objects_of_one_number_are_merged(label):
    (error,) = object_errors(label, np.where(label == 7, 2, label))
    assert (error.kind, error.labels, error.predictions) == ("merged", (2, 7), (2,))
    assert error.box == (2, 2, 8, 16)
    assert error.pixels == 6 * 14


def test_two_equal_halves_are_a_split_and_no_miss(label):
    prediction = label.copy()
    prediction[12:15, 20:30] = 1
    (error,) = object_errors(label, prediction)
    assert (error.kind, error.labels, error.predictions) == ("split", (900,), (1, 900))
    assert error.box == (12, 20, 18, 30)
    assert error.pixels == 60


def test_exactly_half_is_not_found_and_one_pixel_more_is(label):
    half = label.copy()
    half[12:15, 20:30] = 0
    assert summary(label, half) == [("missed", (900,), ())]
    half[12, 20] = 900
    assert summary(label, half) == []


def test_pixels_that_do_not_count_belong_to_no_object(label):
    prediction = np.where(label == 5, 0, label)
    assert summary(label, prediction, valid=label != 5) == []


@settings(max_examples=40, deadline=None)
@given(images, images, arrays(np.bool_, (5, 7)))
def test_pixels_that_do_not_count_are_background_in_both(label, prediction, valid):
    expected = object_errors(np.where(valid, label, 0), np.where(valid, prediction, 0))
    assert object_errors(label, prediction, valid) == expected


def test_the_largest_object_of_a_kind_comes_first_and_then_the_topmost(label):
    errors = object_errors(label, np.zeros_like(label))
    assert [(error.labels, error.pixels) for error in errors] == [((900,), 60), ((2,), 48), ((7,), 36), ((5,), 36)]


def test_an_image_without_background():
    label, prediction = np.full((4, 6), 3), np.full((4, 6), 3)
    prediction[:, 2:] = 8
    label[:2] = 5
    assert summary(label, np.where(label == 5, 1, 2)) == []
    assert summary(np.full((4, 6), 5), prediction) == [("split", (5,), (3, 8))]
    assert summary(label, np.full((4, 6), 8)) == [("merged", (3, 5), (8,))]


def test_shapes_that_differ_are_refused():
    with pytest.raises(ValueError, match=r"label is \(2, 3\), prediction is \(3, 2\)"):
        object_errors(np.zeros((2, 3), int), np.zeros((3, 2), int))


@settings(max_examples=60, deadline=None)
@given(images, images)
def test_exchanging_label_and_prediction_exchanges_split_and_merged(label, prediction):
    def kind(name, errors):
        return sorted((e.labels, e.predictions, e.box) for e in errors if e.kind == name)

    there, back = object_errors(label, prediction), object_errors(prediction, label)
    assert kind("split", there) == [(r, p, box) for p, r, box in sorted(kind("merged", back), key=lambda e: e[1])]
    assert [KINDS.index(e.kind) for e in there] == sorted(KINDS.index(e.kind) for e in there)


@settings(max_examples=60, deadline=None)
@given(images, images)
def test_a_missed_object_has_no_share_in_seg(label, prediction):
    missed = {e.labels[0] for e in object_errors(label, prediction) if e.kind == "missed"}
    for value in np.unique(label[label > 0]):
        alone = np.where(label == value, label, 0)
        if value in missed:
            assert seg(alone, prediction).value == 0
    invented = [e.predictions[0] for e in object_errors(label, prediction) if e.kind == "invented"]
    without = np.where(np.isin(prediction, invented), 0, prediction)
    np.testing.assert_equal(seg(label, without).value, seg(label, prediction).value)


@settings(max_examples=40, deadline=None)
@given(images, images)
def test_turning_and_renumbering_change_no_error(label, prediction):
    def kinds(a, b):
        return sorted((e.kind, e.pixels, len(e.labels), len(e.predictions)) for e in object_errors(a, b))

    new = np.array([0, 31, 4, 1000, 2])
    assert kinds(label, prediction) == kinds(np.rot90(label), np.rot90(new[prediction]))
