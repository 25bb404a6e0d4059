"""The loss equals the paper's sum, written out pixel by pixel."""

from __future__ import annotations

import math

import pytest
import torch

from custom.losses import WeightedCrossEntropyLoss


def example(height: int = 5, width: int = 7, classes: int = 3):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, classes, height, width, generator=generator)
    label = torch.randint(0, classes, (2, 1, height, width), generator=generator).float()
    weight = torch.rand(2, 1, height, width, generator=generator) * 10
    return logits, label, weight


def by_hand(logits, label, weight) -> float:
    total = 0.0
    for b, y, x in ((b, y, x) for b in range(2) for y in range(label.shape[2]) for x in range(label.shape[3])):
        scores = logits[b, :, y, x].double()
        p = math.exp(scores[int(label[b, 0, y, x])]) / sum(math.exp(s) for s in scores)
        total -= float(weight[b, 0, y, x]) * math.log(p)
    return total


def test_sum_is_the_formula():
    logits, label, weight = example()
    loss = WeightedCrossEntropyLoss("sum")(logits, torch.cat([label, weight], dim=1))
    assert loss.item() == pytest.approx(by_hand(logits, label, weight), rel=1e-5)


def test_mean_and_weighted_mean_divide_by_pixels_and_by_weights():
    logits, label, weight = example()
    target = torch.cat([label, weight], dim=1)
    total = WeightedCrossEntropyLoss("sum")(logits, target).item()
    assert WeightedCrossEntropyLoss("mean")(logits, target).item() == pytest.approx(total / 70, rel=1e-5)
    expected = total / weight.sum().item()
    assert WeightedCrossEntropyLoss("weighted_mean")(logits, target).item() == pytest.approx(expected, rel=1e-5)


def test_without_weights_it_is_plain_cross_entropy():
    logits, label, _ = example()
    expected = torch.nn.functional.cross_entropy(logits, label[:, 0].long())
    torch.testing.assert_close(WeightedCrossEntropyLoss()(logits, label), expected)


@pytest.mark.parametrize("reduction", ["mean", "weighted_mean", "sum"])
def test_ignored_pixels_count_for_nothing(reduction):
    logits, label, weight = example()
    loss = WeightedCrossEntropyLoss(reduction)
    kept = loss(logits[..., :5], torch.cat([label, weight], dim=1)[..., :5])
    label[..., 5:] = 255
    torch.testing.assert_close(loss(logits, torch.cat([label, weight], dim=1)), kept)


@pytest.mark.parametrize("reduction", ["mean", "weighted_mean", "sum"])
def test_everything_ignored_gives_zero_and_finite_gradients(reduction):
    logits, label, weight = example()
    logits.requires_grad_()
    loss = WeightedCrossEntropyLoss(reduction)(logits, torch.cat([torch.full_like(label, 255), weight], dim=1))
    loss.backward()
    assert loss.item() == 0
    assert (logits.grad == 0).all()


def test_larger_logits_are_cropped_about_the_centre():
    logits, label, weight = example(9, 11)
    target = torch.cat([label, weight], dim=1)[..., 2:-2, 3:-3]
    loss = WeightedCrossEntropyLoss()
    torch.testing.assert_close(loss(logits, target), loss(logits[..., 2:-2, 3:-3], target))


def test_bfloat16_logits_are_summed_in_float32():
    logits, label, weight = example()
    loss = WeightedCrossEntropyLoss()(logits.bfloat16(), torch.cat([label, weight], dim=1))
    assert loss.dtype == torch.float32


@pytest.mark.parametrize("shape", [(2, 3, 5, 7), (2, 2, 6, 7)])
def test_targets_that_do_not_fit_are_refused(shape):
    with pytest.raises(ValueError, match="label and weight, no larger than the logits"):
        WeightedCrossEntropyLoss()(example()[0], torch.zeros(shape))


def test_unknown_reduction_is_refused():
    with pytest.raises(ValueError, match="choose one of mean, weighted_mean, sum"):
        WeightedCrossEntropyLoss("none")
