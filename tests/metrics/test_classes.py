"""Scores of several classes against their definition: each class as if it were the only foreground."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from custom.metrics import Dice, IoU, PixelError, RandError, iou, pixel_error, rand_error

NAMES = ("ground", "body", "core")
SHAPE = (14, 19)


@pytest.fixture
def images() -> list[tuple[np.ndarray, np.ndarray]]:
    """Class probabilities (3, H, W) and labels (H, W) with ignored pixels; the second image has no core."""
    generator = np.random.default_rng(0)
    labels = [generator.integers(0, 3, SHAPE), generator.integers(0, 2, SHAPE)]
    found = []
    for label in labels:
        logits = generator.standard_normal((3, *SHAPE)) + 1.5 * (label == np.arange(3)[:, None, None])
        probability = np.asarray(torch.softmax(torch.from_numpy(logits), 0))
        label[3:5, 2:9] = 255
        found.append((probability, label))
    return found


def scored(metric, images):
    for probability, label in images:
        metric(torch.from_numpy(probability)[None], torch.from_numpy(label.astype(np.uint8))[None, None])
    return metric.score()


def test_iou_and_dice_of_each_class_and_their_mean(images):
    score, dice = scored(IoU(classes=NAMES), images), scored(Dice(NAMES), images)
    valid = [label != 255 for _, label in images]
    for k, name in enumerate(NAMES):
        truth = [label == k for _, label in images]
        masks = [(probability.argmax(axis=0) == k).astype(float) for probability, _ in images]
        assert score.extras()[name] == pytest.approx(iou(truth, masks, valid).value)
        both = sum((t & (m > 0) & v).sum() for t, m, v in zip(truth, masks, valid, strict=True))
        sizes = sum((t & v).sum() + (m[v] > 0).sum() for t, m, v in zip(truth, masks, valid, strict=True))
        assert dice.extras()[name] == pytest.approx(2 * both / sizes)
    for one in (score, dice):
        assert one.value == pytest.approx(np.mean([one.extras()[name] for name in NAMES]))
        assert np.shape(one.per_image) == (2, 3)
    assert len(set(score.extras().values())) == 3


def test_pixel_error_of_each_class_at_its_own_threshold(images):
    score = scored(PixelError(classes=NAMES), images)
    valid = [label != 255 for _, label in images]
    for k, name in enumerate(NAMES):
        expected = pixel_error([label == k for _, label in images], [p[k] for p, _ in images], valid)
        assert score.extras()[name] == pytest.approx(expected.value)
        seen = [i for i, (_, label) in enumerate(images) if (label == k).any()]
        np.testing.assert_allclose([score.per_image[i][k] for i in seen], [expected.per_image[i] for i in seen])
    assert np.isnan(score.per_image[1][2])
    assert score.value == pytest.approx(np.mean(list(score.extras().values())))


def test_swapped_classes_are_seen(images):
    swapped = [(probability[[0, 2, 1]], label) for probability, label in images]
    for make in (lambda: IoU(classes=NAMES), lambda: Dice(NAMES)):
        assert scored(make(), swapped).value < scored(make(), images).value - 0.1
    assert scored(PixelError(classes=NAMES), swapped).value > scored(PixelError(classes=NAMES), images).value + 0.1


def test_a_class_that_nobody_has_counts_for_nothing():
    probability = np.zeros((3, 4, 5))
    probability[0, :2], probability[1, 2:] = 0.8, 0.8
    label = np.zeros((4, 5), int)
    label[2:] = 1
    for metric in (IoU(classes=NAMES), Dice(NAMES), PixelError(classes=NAMES)):
        score = scored(metric, [(probability, label)])
        assert set(score.extras()) == {"ground", "body"}
        assert score.value == (0 if isinstance(metric, PixelError) else 1)


def test_two_classes_have_the_iou_of_the_background_beside_that_of_the_foreground(images):
    two = [(1 - probability[:1], np.where(label == 2, 1, label)) for probability, label in images]
    plain, named = scored(IoU(), two), scored(IoU(classes=("ground", "cell")), two)
    assert (named.value, named.threshold, named.per_image) == (plain.value, plain.threshold, plain.per_image)
    assert set(plain.extras()) == {"threshold"}
    ground, valid = [label == 0 for _, label in two], [label != 255 for _, label in two]
    background = iou(ground, [1.0 * (p[0] <= 0.5) for p, _ in two], valid)
    assert named.extras() == {"threshold": 0.5, "ground": pytest.approx(background.value)}


def test_measures_of_the_foreground_take_all_classes_but_the_first(images):
    score = scored(RandError(), images)
    foreground = [np.max(p[1:], axis=0) / (np.max(p[1:], axis=0) + p[0]) for p, _ in images]
    truth, valid = [(label > 0) & (label < 255) for _, label in images], [label != 255 for _, label in images]
    assert score.value == pytest.approx(rand_error(truth, foreground, valid).value)
