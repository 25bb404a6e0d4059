"""SEG against its definition and py-ctcmetrics; against the challenge's own values in test_original_tools.py."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from custom.metrics import seg

from . import oracles


def objects(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Reference and prediction (20, 33): blocks with numbers that leave gaps, and a shifted, renumbered copy."""
    random = np.random.RandomState(seed)
    label = np.kron(random.choice([0, 0, 3, 7, 8, 400, 65535], (5, 11)), np.ones((4, 3))).astype(np.int32)
    prediction = np.roll(label, random.randint(-2, 3, 2), (0, 1))
    return label, np.where(random.rand(20, 33) < 0.2, 0, prediction).astype(np.int32)


@pytest.mark.parametrize("seed", range(5))
def test_equals_definition(seed):
    stack = [objects(seed), objects(seed + 100), (np.zeros((4, 9), int), np.ones((4, 9), int))]
    labels, predictions = zip(*stack, strict=True)
    score = seg(labels, predictions)
    assert (score.value, score.objects) == pytest.approx(oracles.seg(labels, predictions), abs=1e-12)
    assert score.per_image[2] != score.per_image[2]  # no object: not a number
    assert score.per_image[0] == pytest.approx(oracles.seg(labels[:1], predictions[:1])[0])


@pytest.mark.parametrize("seed", range(5))
def test_equals_py_ctcmetrics_where_that_is_valid(seed, tmp_path):
    representations = pytest.importorskip("ctc_metrics.utils.representations")
    measures = pytest.importorskip("ctc_metrics.metrics")
    label, prediction = objects(seed)
    assert 0 in label  # it takes the least number for the background
    assert 0 in prediction
    for name, image in [("ref", label), ("comp", prediction)]:
        tifffile.imwrite(tmp_path / f"{name}.tif", image)
    labels, _, _, _, ious = representations.match(str(tmp_path / "ref.tif"), str(tmp_path / "comp.tif"))
    assert seg(label, prediction).value == pytest.approx(measures.seg([labels], [ious]), abs=1e-12)


def test_exactly_half_is_no_match():
    label = np.array([[1, 1, 1, 1, 0, 2]])
    assert seg(label, np.array([[5, 5, 0, 0, 0, 2]])).value == 0.5
    assert seg(label, np.array([[5, 5, 5, 0, 0, 2]])).value == (0.75 + 1) / 2


def test_no_background_at_all():
    assert seg(np.ones((3, 5), int), np.full((3, 5), 9)).value == 1


def test_ignored_pixels_leave_both_objects():
    label = np.array([[1, 1, 1, -1, -1, 0, 0]])
    prediction = np.array([[4, 4, 4, 4, 4, 4, 0]])
    assert seg(label, prediction, label != -1).value == 3 / 4
    assert seg(label, prediction).value == 3 / 6


def test_numbers_of_any_size_and_type():
    label = np.array([[0, 0, 1, 1, 2, 2]])
    prediction = np.array([[0, 1, 1, 1, 0, 2]])
    expected = seg(label, prediction).value
    for large in (np.array([0, 2**40, 7]), np.array([0, 2**63, 2**64 - 1], np.uint64), np.array([0.0, 5.0, 3.0])):
        assert seg(large[label], large[prediction]).value == expected


def test_no_valid_pixel():
    assert seg(np.ones((3, 5), int), np.ones((3, 5), int), np.zeros((3, 5), bool)).objects == 0


def test_no_object():
    score = seg(np.zeros((3, 5)), np.ones((3, 5)))
    assert np.isnan(score.value)
    assert score.objects == 0
