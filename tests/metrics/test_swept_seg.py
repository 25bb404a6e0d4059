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


@pytest.mark.parametrize(("method", "grow"), [("components", 0), ("components", 2), ("watershed", 2)])
def test_the_value_is_that_of_the_cells_at_the_best_threshold(method, grow):
    probability, instances = stack()
    swept = SweptSeg(THRESHOLDS, method, sigma=0.5, height=0.2, min_size=40, grow=grow)
    swept(probability, instances)
    single = {}
    for threshold in THRESHOLDS:
        seg, rule = Seg(), ProbabilityToInstances(threshold, 40, grow, method, sigma=0.5, height=0.2)
        seg(torch.stack([torch.as_tensor(rule(one)) for one in probability]), instances)
        single[threshold] = seg.score()
    score = swept.score()
    assert len({one.value for one in single.values()}) == 3
    assert score.value == max(one.value for one in single.values())
    assert score.value == single[score.threshold].value
    assert score.per_image == single[score.threshold].per_image
    assert score.extras() == {"threshold": score.threshold}


@pytest.mark.filterwarnings("error")
def test_without_objects_there_is_no_score():
    swept = SweptSeg([0.5])
    swept(torch.full((1, 1, 4, 6), 0.9), torch.zeros(1, 1, 4, 6))
    assert math.isnan(swept.score().value)


def test_the_handler_tries_a_few_thresholds():
    found = SweptSegHandler(method="watershed", sigma=1.5, height=0.5, min_size=3, grow=1).metric_fn
    assert isinstance(found, SweptSeg)
    rule = {"method": "watershed", "sigma": 1.5, "height": 0.5, "min_size": 3, "grow": 1}
    assert [vars(one) for one in found.rules] == [{"threshold": threshold, **rule} for threshold in SEG_THRESHOLDS]
