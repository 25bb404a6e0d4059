"""Placement of random windows, and refused arguments."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from custom.errors import UserError
from custom.transforms import RandElasticGrid, RandElasticGridd
from custom.transforms.random_window import tile_starts

from .items import INNER, MARGIN, SHAPE, make_item, make_transform


def test_uniform_centres_reach_every_pixel_and_are_whole() -> None:
    transform = RandElasticGrid((4, 7), sigma=0.0, center="uniform")
    transform.set_random_state(0)
    starts = []
    for _ in range(600):
        transform.randomize((5, 6))
        starts.append(tuple(transform.start + np.array([2, 3])))
    counts = np.zeros((5, 6))
    for row, column in starts:
        assert row == int(row)
        assert column == int(column)
        counts[int(row), int(column)] += 1
    assert counts.min() >= 5
    assert counts.max() <= 45


def test_weighted_centres_follow_the_weight() -> None:
    item = make_item()
    weight = np.zeros((1, *SHAPE), np.float32)
    weight[0, 50, 3], weight[0, 0, 82] = 3, 1
    transform = make_transform(center="weighted", weight_key="choice", sigma=0.0)
    transform.set_random_state(0)
    centres = []
    for _ in range(300):
        out = transform(item | {"choice": weight})
        centres.append(tuple(transform.window.start.astype(int) + np.array([48, 32])))
        assert out["image"][0, 48, 32] == item["image"][(0, *centres[-1])]
    assert set(centres) == {(50, 3), (0, 82)}
    assert centres.count((50, 3)) / 300 == pytest.approx(0.75, abs=0.08)
    transform(item | {"choice": 0 * weight})
    assert out["choice"] is weight


@pytest.mark.parametrize(
    ("arguments", "starts"),
    [
        ((512, 388, 124), [0, 124]),
        ((512, 388, 62), [0, 62, 124]),
        ((500, 388, 100), [0, 100, 112]),
        ((10, 14, 3), [-2]),
    ],
)
def test_tiles_cover_the_axis(arguments: tuple[int, int, int], starts: list[int]) -> None:
    assert tile_starts(*arguments) == starts


def test_tiles_have_the_size_of_the_label() -> None:
    transform = make_transform(center="tiles", stride=19)
    transform.set_random_state(0)
    starts = set()
    for _ in range(60):
        transform.randomize(SHAPE)
        starts.add(tuple((transform.window.start + MARGIN).astype(int)))
    assert starts == {(row, column) for row in (0, 19) for column in (0, 19, 38, 50)}


def test_missing_keys_are_skipped_on_request() -> None:
    item = make_item()
    del item["weight"]
    out = make_transform(allow_missing_keys=True)(item)
    assert out["label"].shape == (1, *INNER)
    with pytest.raises(KeyError, match="weight"):
        make_transform()(item)


def test_sizes_and_modes_for_all_keys_or_each() -> None:
    assert make_transform(spatial_size=20).sizes == [(20, 20)] * 3
    assert make_transform(spatial_size=[20, 30]).sizes == [(20, 30)] * 3
    assert make_transform(spatial_size=[20, 10, 8]).sizes == [(20, 20), (10, 10), (8, 8)]
    assert make_transform(spatial_size=[20, [10, 12], 8]).sizes == [(20, 20), (10, 12), (8, 8)]
    assert make_transform(mode="linear").modes == ["linear"] * 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"spatial_size": 0}, "spatial_size is 0"),
        ({"spatial_size": [5.5, 4]}, "spatial_size"),
        ({"spatial_size": [9, 9, 9, 9]}, "4 entries for 3 keys"),
        ({"spatial_size": [20, 22, 20]}, "'label' is \\(22, 22\\), larger than \\(20, 20\\)"),
        ({"mode": "bicubic"}, "mode is 'bicubic', but must be one of nearest, linear, cubic"),
        ({"mode": ["cubic", "nearest"]}, "2 entries for 3 keys"),
        ({"center": "middle"}, "center is 'middle'"),
        ({"center": "weighted"}, "weight_key is missing"),
        ({"grid_shape": 1}, "at least 2 points"),
        ({"sigma": -1}, "sigma is -1"),
        ({"prob": 1.5}, "prob is 1.5"),
        ({"flip_prob": 2}, "flip_prob is 2"),
        ({"rotate_range": math.nan}, "rotate_range is nan"),
        ({"stride": 0}, "stride is 0"),
        ({"scale_range": -1}, "scale_range is -1"),
        ({"shift_range": -1}, "shift_range is -1"),
    ],
)
def test_bad_arguments_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        make_transform(**changes)


def test_two_sizes_for_two_keys_are_refused_as_ambiguous() -> None:
    with pytest.raises(UserError, match="two meanings"):
        RandElasticGridd(("image", "label"), [572, 388])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": np.zeros((1, 60, 80), np.uint8)}, "keys differ in"),
        ({"label": np.zeros(SHAPE, np.uint8)}, "label has shape"),
        ({"image": np.zeros((1, 0, 5), np.float32)}, "image has shape"),
        ({"choice": np.zeros((1, 3, 3))}, "weight has shape"),
        ({"choice": np.full((1, *SHAPE), -1.0)}, "negative"),
    ],
)
def test_bad_items_are_named(change: dict[str, np.ndarray], message: str) -> None:
    transform = make_transform(center="weighted", weight_key="choice")
    with pytest.raises(UserError, match=message):
        transform(make_item() | {"choice": np.ones((1, *SHAPE))} | change)


def test_missing_weights_are_named() -> None:
    with pytest.raises(UserError, match="weight_key is 'choice', but the item has only"):
        make_transform(center="weighted", weight_key="choice")(make_item())
    with pytest.raises(UserError, match="no weight came"):
        RandElasticGrid(20, center="weighted")(make_item()["image"])
