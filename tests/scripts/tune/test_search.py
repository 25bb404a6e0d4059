"""The search finds known optima, and does not use the image that it leaves out."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import chain, product

import numpy as np
import pytest

from custom.transforms import InstancesToClasses
from scripts.tune import search
from scripts.tune.report import run_search, to_json, to_markdown, write_report
from scripts.tune.search import Search, Setting, middle_of


@pytest.fixture(autouse=True)
def small_grid(monkeypatch):
    for name, values in {"THRESHOLDS": (0.3, 0.6), "HEIGHTS": (2.0,), "SIGMAS": (1.0,), "GROWS": (0, 1)}.items():
        monkeypatch.setattr(search, name, values)


def touching(neck: float, shape: tuple[int, int] = (44, 60)) -> tuple[np.ndarray, np.ndarray]:
    """Two touching cells, and a probability of 0.9 in them that is only `neck` on the border between them."""
    y, x = np.indices(shape)
    instances = np.where(np.hypot(y - 22, x - 18) < 14, 1, 0)
    instances[(np.hypot(y - 22, x - 42) < 14) & (instances == 0)] = 2
    border = (instances > 0) & (InstancesToClasses()(instances[None])[0] == 0)
    probability = np.where(border, neck, np.where(instances > 0, 0.9, 0.1)).astype(np.float32)
    return probability, instances.astype(np.int32)


def test_a_border_that_the_network_saw_is_closed_by_growing():
    probability, instances = touching(neck=0.1)
    found = Search([probability], [instances])
    assert found.choose([0]).grow == 1
    assert found.seg(found.choose([0]), [0]) > found.seg(Setting(), [0]) + 0.02


@pytest.mark.parametrize(("watershed", "expected"), [(0.8, "components"), (0.899, "watershed")])
def test_components_only_where_they_are_clearly_better(watershed, expected):
    instances = np.ones((3, 4), int)
    found = Search([np.ones((3, 4))], [instances])
    found.known[found.own] = np.array([[0.5, 1.0]])
    for setting in chain.from_iterable(found.curves().values()):
        score = 0.9 if setting.method == "components" else watershed
        found.known[setting] = np.array([[score, 1.0]])
    assert found.choose([0]).method == expected


def test_numbers_of_cells_are_names():
    """Those of a tracking program may be next to 2**31: counted in a table, one would take 16 GiB."""
    probability, instances = touching(neck=0.1)
    numbers = np.array([0, 2**31 - 2, 2**31 - 1], np.int32)[instances]
    known, other = (Search([probability], [ids]) for ids in (instances, numbers))
    assert other.sizes([0]) == known.sizes([0])
    assert other.choose([0]) == known.choose([0])


def test_methods_to_choose_from_exclude_the_models_own_if_it_is_another():
    probability, instances = touching(neck=0.6)
    own = Setting("watershed", 0.3)
    found = Search([probability], [instances], own, methods=["components"])
    assert list(found.curves()) == ["components"]
    assert found.seg(own, [0]) > found.seg(found.choose([0]), [0]) + 0.002
    assert found.choose([0]).method == "components"


def test_the_middle_of_a_plateau():
    settings = [Setting("watershed", threshold, 1.0, 2.0) for threshold in (0.1, 0.2, 0.3, 0.4)]
    found = Search([np.zeros((3, 4))], [np.zeros((3, 4), int)])
    found.known = {s: np.array([[score, 1.0]]) for s, score in zip(settings, (0.8, 0.8995, 0.9, 0.8985), strict=True)}
    assert found.near_best(settings, [0]) == settings[1:]


def test_the_middle_is_one_of_each_argument():
    """Of a plateau in every direction not the first, whose watershed divides most, of the middle threshold."""
    plateau = [Setting("watershed", *values) for values in product((0.2, 0.25, 0.3), (1.0, 2.0, 4.0), (2.0, 5.0, 8.0))]
    assert middle_of(plateau) == Setting("watershed", 0.25, 2.0, 5.0)
    assert middle_of(plateau[:9] + plateau[-1:]) == Setting("watershed", 0.3, 4.0, 8.0)


def test_a_border_that_the_network_missed_needs_the_watershed():
    probability, instances = touching(neck=0.9)
    found = Search([probability], [instances])
    chosen = found.choose([0])
    assert chosen.method == "watershed"
    assert found.seg(chosen, [0]) > 0.95
    assert found.seg(Setting(), [0]) <= 0.5


def test_a_better_setting_of_the_model_is_kept():
    """Between the thresholds of the grid: 0.45 cuts off the rim that 0.3 takes for cell, and 0.6 loses the cells."""
    instances = np.zeros((30, 44), np.int32)
    instances[8:22, 10:34] = 1
    probability = np.full(instances.shape, 0.1, np.float32)
    probability[5:25, 7:37], probability[instances == 1] = 0.4, 0.5
    own = Setting("watershed", 0.45, 1.0, 2.0)
    assert Search([probability], [instances], own).choose([0]) == own
    assert Search([probability], [instances], replace(own, threshold=0.95)).choose([0]).threshold == 0.3


def test_min_size_is_the_largest_that_costs_nothing():
    probability, instances = touching(neck=0.1)
    found = Search([probability], [instances])
    smallest = np.bincount(instances.ravel())[1:].min()
    assert found.choose([0]).min_size == smallest // 10


def test_the_left_out_image_takes_no_part():
    """Only the third image has a low probability in its cells; left out, it is scored by a threshold above that."""
    pairs = [touching(neck=0.1), touching(neck=0.1), touching(neck=0.1)]
    pairs[0][0][:] = pairs[1][0][:] = np.where(pairs[0][0] > 0.5, 0.9, 0.4)
    pairs[2][0][:] = np.where(pairs[2][0] > 0.5, 0.5, 0.1)
    found = Search(*map(list, zip(*pairs, strict=True)))
    value, chosen = found.cross_validated()
    assert chosen[2].threshold == 0.6
    total, number = np.sum([found.counts(setting)[i] for i, setting in enumerate(chosen)], axis=0)
    assert value == total / number
    assert found.seg(chosen[2], [2]) == 0
    assert math.isnan(Search([pairs[0][0]], [pairs[0][1]]).cross_validated()[0])


def test_counts_ignore_what_is_ignored():
    probability, instances = touching(neck=0.1)
    ignored = np.where(instances == 2, -1, instances)
    found = Search([probability], [ignored])
    assert found.counts(Setting())[0, 1] == 1
    assert found.seg(replace(Setting(), grow=1), [0]) > 0.95


def test_report(tmp_path):
    pairs = [touching(neck=0.1), touching(neck=0.9)]
    found = Search(*map(list, zip(*pairs, strict=True)))
    outcome = run_search(found, ["first", "second"])
    write_report(outcome, found, tmp_path)
    content = json.loads((tmp_path / "tune.json").read_text())
    assert content == to_json(outcome, found)
    assert content["best"]["seg"] > content["before"]["seg"]
    assert set(content["seg_per_image"]) == {"first", "second"}
    assert f"SEG {content['best']['seg']:.4f}" in to_markdown(outcome, found)
    assert (tmp_path / "tune.png").read_bytes().startswith(b"\x89PNG")
