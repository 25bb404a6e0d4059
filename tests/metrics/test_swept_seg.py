"""SEG at the best of a few thresholds is what evaluation finds at that threshold."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from custom.handlers import SweptSegHandler
from custom.handlers.metrics import SEG_THRESHOLDS
from custom.metrics import Seg
from custom.metrics.swept_seg import SweptSeg
from custom.transforms import ProbabilityToInstances

THRESHOLDS = (0.2, 0.5, 0.8)


def stack() -> tuple[torch.Tensor, torch.Tensor]:
    """Probabilities and instances of two images (1, 40, 56), some pixels of which are ignored."""
    noise = ndimage.gaussian_filter(np.random.default_rng(3).random((2, 1, 40, 56)), (0, 0, 3, 3))
    probability = (noise - noise.min()) / np.ptp(noise)
    instances = np.stack([ndimage.label(one > 0.55)[0] for one in probability])
    instances[0, :, 10:14] = -1
    return torch.from_numpy(probability), torch.from_numpy(instances)


@pytest.mark.parametrize("grow", [0, 2])
def test_the_value_is_that_of_the_components_at_the_best_threshold(grow):
    probability, instances = stack()
    swept = SweptSeg(THRESHOLDS, "components", min_size=4, grow=grow)
    swept(probability, instances)
    single = {}
    for threshold in THRESHOLDS:
        seg, method = Seg(), ProbabilityToInstances(threshold, 4, grow)
        seg(torch.stack([torch.as_tensor(method(one)) for one in probability]), instances)
        single[threshold] = seg.score()
    score = swept.score()
    assert len({one.value for one in single.values()}) == 3
    assert score.value == max(one.value for one in single.values())
    assert score.value == single[score.threshold].value
    assert score.per_image == single[score.threshold].per_image
    assert score.extras() == {"threshold": score.threshold}


def neck() -> tuple[np.ndarray, np.ndarray]:
    """Two discs (34, 60) that touch, and are brighter towards their centres: as a probability, and as instances."""
    y, x = np.indices((34, 60))
    far = np.stack([np.hypot(y - 17, x - centre) for centre in (17, 41)])
    return np.clip(1 - far.min(axis=0) / 26, 0, 1), np.where(far.min(axis=0) < 13.1, far.argmin(axis=0) + 1, 0)


def test_touching_cells_are_divided_at_each_threshold_as_at_the_lowest():
    probability, instances = neck()
    thresholds = (0.3, 0.4, 0.5, 0.7)
    found = list(SweptSeg(thresholds).cells(probability))
    for threshold, cells in zip(thresholds, found, strict=True):
        expected = ProbabilityToInstances(threshold, method="watershed")(probability[None])[0]
        assert len(np.unique(cells)) == 3
        np.testing.assert_array_equal(np.unique(cells, return_inverse=True)[1].reshape(cells.shape), expected)
    swept = SweptSeg(thresholds)
    swept(torch.from_numpy(probability)[None, None], torch.from_numpy(instances)[None, None])
    assert swept.score().threshold == 0.5
    assert swept.score().value > 0.95
    assert next(SweptSeg(thresholds, "components").cells(probability)).max() == 1


def test_without_objects_there_is_no_score():
    swept = SweptSeg([0.5])
    swept(torch.full((1, 1, 4, 6), 0.9), torch.zeros(1, 1, 4, 6))
    assert math.isnan(swept.score().value)


def test_the_handler_tries_a_few_thresholds():
    found = SweptSegHandler(method="components", min_size=3, grow=1).metric_fn
    assert isinstance(found, SweptSeg)
    assert (found.thresholds, found.grow) == (SEG_THRESHOLDS, 1)
    assert (found.divide.method, found.divide.min_size) == ("components", 3)
