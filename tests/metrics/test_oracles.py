"""The fast measures against their definitions, on small stacks with H != W and on degenerate ones."""

from __future__ import annotations

import numpy as np
import pytest

from custom import metrics
from custom.metrics.thinning import thinned
from custom.metrics.warping import topological_errors

from . import oracles


@pytest.mark.parametrize("name", ["pixel_error", "rand_error", "v_rand", "v_info"])
def test_equals_definition(small_stack, name):
    score = getattr(metrics, name)(*small_stack)
    value, threshold = getattr(oracles, name)(*small_stack)
    assert score.value == pytest.approx(value, abs=1e-12)
    assert score.threshold == threshold


def test_warping_equals_definition(small_stack):
    score = metrics.warping_error(*small_stack)
    assert (score.value, score.threshold, score.splits, score.mergers) == oracles.warping_error(*small_stack, radius=20)


@pytest.mark.parametrize("seed", [0, 1, 5])  # with these, another order of equal pixels gives other numbers
def test_pixels_of_equal_distance_are_flipped_in_the_order_of_the_tool(seed):
    random = np.random.RandomState(seed)
    label, target = random.rand(23, 16) < 0.6, random.rand(23, 16) < 0.6
    proposal = np.where(target, random.choice([0.6, 0.9, 1.0], (23, 16)), random.choice([0.1, 0.4, 0.0], (23, 16)))
    proposal = proposal.astype(np.float32)
    distance = np.abs(proposal.astype(float) - 0.5).astype(np.float32)
    source, wrong = oracles.warp(oracles.as_set(label), oracles.as_set(target), proposal, 0.5)
    assert topological_errors(label, target, distance) == oracles.splits_and_mergers(source, wrong, (23, 16), 20)


@pytest.mark.parametrize(("height", "splits"), [(21, 0), (22, 1)])
def test_a_cut_ring_is_split_if_it_does_not_close_within_20_pixels(height, splits):
    ring = np.zeros((height, 15))
    ring[[0, -1]] = ring[:, [0, -1]] = 1
    cut = ring.copy()
    cut[0, 7] = 0
    label, proposal = np.pad(ring, (2, 5)), np.pad(cut, (2, 5))
    score = metrics.warping_error(label, proposal)
    assert (score.splits, score.mergers) == (splits, 0)
    assert oracles.warping_error([label], [proposal], radius=20) == (score.value, 0.0, splits, 0)


@pytest.mark.parametrize("seed", range(20))
def test_thinning_equals_definition(seed):
    mask = np.random.RandomState(seed).rand(11, 7) < 0.2 + 0.03 * seed
    regions, expected = thinned(mask), oracles.thinned(mask)
    assert {(x, y): regions[y, x] for x, y in expected} == expected


def test_thinning_leaves_dams_between_regions():
    mask = np.zeros((5, 12), dtype=bool)
    mask[:, :3] = mask[:, 9:] = True
    regions = thinned(mask)
    assert set(np.unique(regions)) == {0, 1, 2}
    assert (regions == 0).sum() == 5
