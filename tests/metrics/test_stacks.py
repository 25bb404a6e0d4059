"""How images make a stack, validity masks, and input that does not match."""

from __future__ import annotations

import numpy as np
import pytest

from custom import metrics
from custom.errors import UserError
from custom.metrics.sweep import THRESHOLDS, levels

MEASURES = ["pixel_error", "iou", "rand_error", "v_rand", "v_info", "warping_error", "seg"]
ERRORS = {"pixel_error", "rand_error", "warping_error"}


@pytest.fixture(params=MEASURES)
def measure(request):
    return getattr(metrics, request.param)


@pytest.fixture
def images():
    """Label and proposal (40, 23) with several objects of several pixels."""
    random = np.random.RandomState(3)
    label = np.kron(random.rand(8, 5) < 0.7, np.ones((5, 5)))[:, :23].astype(np.uint8)
    return label, np.clip(label + random.normal(0, 0.4, label.shape), 0, 1)


def as_objects(measure, proposal):
    """SEG compares whole numbers."""
    return (proposal > 0.5).astype(np.uint8) if measure is metrics.seg else proposal


def test_mask_everywhere_true_changes_nothing(measure, small_stack):
    labels, proposals = small_stack
    proposals = [as_objects(measure, proposal) for proposal in proposals]
    valid = [np.ones(label.shape, dtype=bool) for label in labels]
    assert repr(measure(labels, proposals, valid)) == repr(measure(labels, proposals))


def test_ignored_pixels_may_hold_anything(measure, images):
    label, proposal = images
    valid = np.ones(label.shape, dtype=bool)
    valid[12:19, 4:15] = False
    expected = measure(label, as_objects(measure, proposal), valid)
    assert expected != measure(label, as_objects(measure, proposal))
    for value in (0, 1, 255):
        other = np.where(valid, label, value).astype(label.dtype)
        assert measure(other, as_objects(measure, proposal), valid) == expected


@pytest.mark.parametrize("name", ["pixel_error", "iou", "seg"])
def test_ignored_border_equals_cropping(name, images):
    label, proposal = images
    measure = getattr(metrics, name)
    proposal = as_objects(measure, proposal)
    valid = np.zeros(label.shape, dtype=bool)
    valid[3:, :-4] = True
    assert measure(label, proposal, valid) == measure(label[3:, :-4], proposal[3:, :-4])


def test_errors_on_ignored_pixels_cost_nothing_in_warping():
    label = np.ones((12, 17), dtype=np.uint8)
    label[:, 8] = 0
    merged = label.copy()
    merged[4:6, 8] = 1
    assert metrics.warping_error(label, merged).mergers == 2
    score = metrics.warping_error(label, merged, merged == label)
    assert (score.value, score.mergers) == (0, 0)
    assert metrics.warping_error(label, merged, np.indices((12, 17))[1] > 3).value == 2 / (12 * 13)


@pytest.mark.parametrize("measure", MEASURES[:-1], indirect=True)
def test_repeated_image_scores_as_one(measure, images):
    label, proposal = images
    one, three = measure(label, proposal), measure([label] * 3, np.stack([proposal] * 3))
    assert three.value == pytest.approx(one.value, abs=1e-15)
    assert three.threshold == one.threshold
    assert three.per_image == (pytest.approx(one.value, abs=1e-15),) * 3


def test_perfect_proposal_has_the_best_score(measure, images):
    label, _ = images
    score = measure(label, label)
    assert score.value == pytest.approx(0.0 if measure.__name__ in ERRORS else 1.0, abs=1e-12)


def test_one_threshold_serves_the_whole_stack():
    label = np.zeros((4, 10))
    label[:, :5] = 1
    low, high = np.where(label, 0.35, 0.05), np.where(label, 0.95, 0.65)
    assert metrics.pixel_error(label, low).value == metrics.pixel_error(label, high).value == 0
    score = metrics.pixel_error([label, label], [low, high])
    assert score.value == pytest.approx(1 - 2 * 40 / (2 * 40 + 20))
    assert score.threshold == THRESHOLDS[1]
    assert score.per_image == (0, pytest.approx(1 - 2 * 20 / (2 * 20 + 20)))


def test_counts_are_summed_before_the_pixel_error_and_the_iou():
    label = np.array([[1, 1, 0, 0, 0]])
    proposal = np.array([[1, 0, 0, 0, 0]])
    stacks = [label, np.ones((3, 40))], [proposal, np.ones((3, 40))]
    assert metrics.pixel_error(*stacks).value == pytest.approx(1 - 2 * 121 / (2 * 121 + 1))
    iou = metrics.iou(*stacks)
    assert (iou.value, iou.per_image) == (121 / 122, (0.5, 1.0))


def test_iou_of_an_image_without_or_with_one_wrong_pixel():
    nothing, one = np.zeros((3, 4)), np.zeros((3, 4))
    one[1, 2] = 1
    assert metrics.iou(nothing, nothing).value == 1
    assert metrics.iou([nothing, one], [one, one]).per_image == (0, 1)


def test_iou_at_another_threshold():
    label, proposal = np.array([[1, 1, 0, 0, 0]]), np.array([[0.9, 0.4, 0.4, 0.6, 0.1]])
    for threshold, value in [(0.5, 1 / 3), (0.3, 2 / 4), (0.8, 1 / 2)]:
        score = metrics.iou(label, proposal, threshold=threshold)
        assert (score.value, score.threshold, score.per_image) == (value, threshold, (value,))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_levels_are_comparisons_in_double_precision(dtype):
    values = np.concatenate([THRESHOLDS, np.nextafter(THRESHOLDS, 2), np.arange(11) / 10, [1.0, np.nan]]).astype(dtype)
    for k, threshold in enumerate(THRESHOLDS):
        np.testing.assert_array_equal(levels(values) > k, values.astype(np.float64) > threshold)


def test_warping_error_says_what_the_minimum_hides():
    label, proposal = np.ones((20, 31)), np.ones((20, 31))
    label[:, 15], proposal[:, 15] = 0, 0.45
    proposal[7:9, 15] = 0.58  # merges the two halves
    proposal[:, :10] = 0.55  # so the mergers go only together with much foreground
    score = metrics.warping_error(label, proposal)
    assert (score.value, score.threshold) == (0, 0.6)
    assert metrics.pixel_error(label, proposal).threshold == 0.5
    assert score.at_pixel_error_threshold == 2 / label.size
    assert score.extras() == {"threshold": 0.6, "at_pixel_error_threshold": 2 / label.size}


def test_proposal_of_ones_has_its_pixel_error_at_the_last_threshold():
    label, proposal = np.ones((9, 14)), np.ones((9, 14))
    label[:, 6], proposal[:, 6] = 0, 0.95
    score = metrics.warping_error(label, proposal)
    assert metrics.pixel_error(label, proposal).threshold == THRESHOLDS[10]
    assert (score.value, score.at_pixel_error_threshold) == (9 / label.size, 0)


@pytest.mark.parametrize(
    ("label", "proposal", "message"),
    [
        (np.ones((4, 5)), np.ones((5, 4)), r"image 0.*\(5, 4\).*\(4, 5\)"),
        (np.ones((2, 4, 5)), np.ones((3, 4, 5)), "2 labels, 3 proposals"),
        ([], [], "no image"),
        (np.ones((2, 0, 5)), np.ones((2, 0, 5)), "at least one pixel"),
    ],
)
def test_stacks_that_do_not_match(measure, label, proposal, message):
    with pytest.raises(UserError, match=message):
        measure(label, proposal)


def test_an_error_names_the_argument():
    image, wrong = np.ones((4, 5)), np.ones((2, 4, 5, 3))
    for name, arguments in [("label", (wrong, image)), ("proposal", (image, wrong)), ("valid", (image, image, wrong))]:
        with pytest.raises(UserError, match=rf"^{name} has an image of shape \(4, 5, 3\)"):
            metrics.pixel_error(*arguments)
