"""Expected calibration error: MONAI's, by its definition, and over several images with ignored pixels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.metrics import CalibrationErrorMetric

from custom.metrics import CalibrationError, calibration
from custom.metrics.calibration import BINS, calibration_error, calibration_sums


def test_the_calibration_error_is_that_of_monai():
    generator = torch.Generator().manual_seed(3)
    probability = torch.rand((1, 1, 30, 41), generator=generator)
    truth = (torch.rand((1, 1, 30, 41), generator=generator) < probability**2).float()
    metric = CalibrationErrorMetric(num_bins=BINS, include_background=True)
    metric(probability, truth)
    sums = calibration_sums(probability.flatten().numpy(), truth.flatten().numpy() > 0)
    assert calibration_error(sums) == pytest.approx(metric.aggregate().item(), abs=1e-6)


def test_calibration_in_parts_is_calibration_of_the_whole(monkeypatch):
    probability, truth = np.random.RandomState(5).rand(500), np.random.RandomState(6).rand(500) < 0.3
    whole = calibration_sums(probability, truth)
    monkeypatch.setattr(calibration, "CHUNK", 64)
    np.testing.assert_allclose(calibration_sums(probability, truth), whole, rtol=1e-5)
    assert whole[2].sum() == 500


def test_probabilities_that_are_frequencies_are_calibrated():
    probability, truth = np.full(1000, 0.25), np.arange(1000) < 250
    assert calibration_error(calibration_sums(probability, truth)) == pytest.approx(0, abs=1e-6)
    assert calibration_error(calibration_sums(probability, ~truth)) == pytest.approx(0.5, abs=1e-6)


def test_a_stack_is_scored_as_one_image_without_its_ignored_pixels():
    random = np.random.RandomState(7)
    images = [torch.from_numpy(random.rand(1, *shape).astype(np.float32)) for shape in ((20, 31), (17, 40))]
    labels = [torch.from_numpy((random.rand(*image.shape) < image.numpy() ** 2).astype(np.uint8)) for image in images]
    labels[0][0, :5] = 255
    metric = CalibrationError()
    for image, label in zip(images, labels, strict=True):
        metric([image], [label])
    score = metric.score()
    valid = [label.numpy() != 255 for label in labels]
    p = np.concatenate([image.numpy()[part] for image, part in zip(images, valid, strict=True)])
    y = np.concatenate([label.numpy()[part] for label, part in zip(labels, valid, strict=True)])
    bins = np.minimum((p * BINS).astype(int), BINS - 1)
    gaps = [(bins == b).mean() * abs(p[bins == b].mean() - y[bins == b].mean()) for b in range(BINS)]
    assert score.value == pytest.approx(sum(gaps), abs=1e-6)
    assert score.value > 0.1
    assert len(score.per_image) == 2
    assert score.extras() == {}
