"""Probability to instances: components, watershed, and the inverse of `InstancesToClasses`."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from monai.data import MetaTensor
from skimage.segmentation import expand_labels

from custom.errors import UserError
from custom.transforms import (
    InstancesToClasses,
    ProbabilityToInstances,
    ProbabilityToInstancesD,
    ProbabilityToInstancesd,
    ProbabilityToInstancesDict,
)


def jaccards(reference: np.ndarray, result: np.ndarray) -> list[float]:
    """Jaccard index of each reference object with the one result that covers more than half of it, else 0."""
    scores = []
    for cell in np.unique(reference[reference > 0]):
        inside = reference == cell
        covered = np.bincount(result[inside], minlength=2)
        covered[0] = 0
        match = covered.argmax()
        whole = (inside | (result == match)).sum()
        scores.append(covered[match] / whole if covered[match] > inside.sum() / 2 else 0.0)
    return scores


@pytest.mark.parametrize("grow", [1, 2, 3])
def test_growing_is_near_other_grown_cells_alone(grow):
    """By the definition, pixel by pixel: at most `grow` from the cell, and at most `grow` from another grown one."""
    seeds = np.random.default_rng(grow).random((1, 23, 37)) > 0.97
    cells = ProbabilityToInstances()(seeds.astype(np.float32))[0]
    found = ProbabilityToInstances(grow=grow)(seeds.astype(np.float32))[0]
    everywhere = expand_labels(cells, grow)
    assert len(np.unique(cells)) > 10
    for row, column in np.ndindex(cells.shape):
        top, left = max(row - grow, 0), max(column - grow, 0)
        around = everywhere[top : row + grow + 1, left : column + grow + 1]
        is_between = len(set(around[around > 0])) > 1
        assert found[row, column] == (everywhere if is_between else cells)[row, column]


@pytest.mark.parametrize("grow", [0, 1])
@pytest.mark.parametrize(("name", "frames"), [("DIC-C2DH-HeLa", 9), ("PhC-C2DH-U373", 15)])
def test_round_trip_recovers_the_gold_cells(real_data, name, frames, grow):
    paths = sorted((real_data / name / "01_GT/SEG").glob("*.tif"))
    assert len(paths) == frames
    scores = []  # their mean is the challenge's SEG
    for path in paths:
        gold = tifffile.imread(path).astype(np.int32)
        classes = InstancesToClasses()(gold[None])
        found = ProbabilityToInstances(min_size=200, grow=grow)(classes.astype(np.float32))[0]
        scores += jaccards(gold, found)
        assert found.max() == len(np.unique(gold[gold > 0]))  # fragments of gold cells are smaller than 200 pixels
    assert min(scores) > 0.5  # above one half the match is one to one
    assert np.mean(scores) > 0.99


@pytest.mark.parametrize("border_width", [3, 5])
def test_growing_undoes_the_border(border_width):
    instances = np.zeros((60, 90), np.int32)
    instances[:, 10:45] = 1
    instances[:, 45:80] = 2
    classes = InstancesToClasses(border_width)(instances[None]).astype(np.float32)
    grow = (border_width - 1) // 2
    np.testing.assert_array_equal(ProbabilityToInstances(grow=grow)(classes)[0], instances)
    assert not np.array_equal(ProbabilityToInstances(grow=grow - 1)(classes)[0], instances)


def test_threshold_and_4_connected_components():
    probability = np.array([[[0.5, 0.49, 0.9], [0.2, 0.7, 0.1], [0.0, 0.8, 1.0]]], np.float32)
    np.testing.assert_array_equal(ProbabilityToInstances()(probability)[0], [[1, 0, 2], [0, 3, 0], [0, 3, 3]])
    np.testing.assert_array_equal(ProbabilityToInstances(0.85)(probability)[0], [[0, 0, 1], [0, 0, 0], [0, 0, 2]])


def test_small_cells_are_removed_and_ids_stay_consecutive():
    mask = np.array([[[1, 0, 1, 1, 0, 1, 0, 1, 1, 1]]])
    np.testing.assert_array_equal(ProbabilityToInstances(min_size=2)(mask)[0], [[0, 0, 1, 1, 0, 0, 0, 2, 2, 2]])
    assert not ProbabilityToInstances(min_size=99)(mask).any()


def test_holes_are_filled_cell_by_cell():
    mask = np.ones((1, 20, 31))
    mask[0, :, 14] = 0
    mask[0, 4:7, 3:6] = 0  # a hole
    mask[0, 16:18, 20:22] = 0  # a hole in the other cell
    notches = [12, 12, 0, 19], [0, 30, 8, 8]
    mask[0][notches] = 0  # at the edges of the image are none
    mask[0, 4:14, 18:28] = 0  # a border ...
    mask[0, 6:12, 20:26] = 1  # ... around a cell inside the other
    result = ProbabilityToInstances()(mask)[0]
    assert result.max() == 3
    assert (result[4:7, 3:6] == 1).all()
    assert (result[16:18, 20:22] == 2).all()
    assert (result[notches] == 0).all()
    assert (result[4:14, 18:28] == 0).sum() == 100 - 36
    speck = mask.copy()
    speck[0, 5, 4] = 1  # in the hole
    assert (ProbabilityToInstances(min_size=3)(speck)[0] == result).all()


def test_growing_stays_between_cells():
    mask = np.zeros((1, 12, 40))
    mask[0, 3:9, 5:15] = mask[0, 3:9, 17:25] = mask[0, 3:9, 30:36] = 1
    result = ProbabilityToInstances(grow=1)(mask)[0]
    expected = np.zeros((12, 40), int)
    expected[3:9, 5:16] = 1
    expected[3:9, 16:25] = 2
    expected[3:9, 30:36] = 3
    np.testing.assert_array_equal(result[3:9], expected[3:9])
    assert (result[[0, 1, 10, 11]] == 0).all()


@pytest.mark.parametrize("method", ["components", "watershed"])
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 9), (1, 9, 1), (1, 6, 9)])
def test_all_or_nothing(shape, method):
    transform = ProbabilityToInstances(min_size=1, grow=2, method=method)
    assert (transform(np.ones(shape)) == 1).all()
    assert (transform(np.zeros(shape)) == 0).all()
    assert (InstancesToClasses()(np.ones(shape)) == 1).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.uint8])
def test_instances_keep_the_container(dtype):
    mask = (np.random.RandomState(2).random_sample((1, 17, 25)) < 0.4).astype(np.float32)
    expected = ProbabilityToInstances()(mask)
    assert expected.dtype == np.int32
    for given in (torch.as_tensor(mask).to(dtype), MetaTensor(torch.as_tensor(mask).to(dtype), meta={"key": 1})):
        result = ProbabilityToInstances()(given)
        assert type(result) is type(given)
        assert result.dtype == torch.int32
        np.testing.assert_array_equal(np.asarray(result), expected)
    assert result.meta["key"] == 1


def test_instances_dictionary():
    given = {"probability": np.random.RandomState(2).random_sample((1, 17, 25))}
    result = ProbabilityToInstancesd("probability", threshold=0.7, min_size=2, grow=1, instance_key="cells")(given)
    np.testing.assert_array_equal(result["cells"], ProbabilityToInstances(0.7, 2, 1)(given["probability"]))
    assert result["probability"] is given["probability"]
    assert "cells" not in given
    assert ProbabilityToInstancesd is ProbabilityToInstancesD is ProbabilityToInstancesDict
    pickle.loads(pickle.dumps(ProbabilityToInstancesd("probability")))(given)


@pytest.mark.parametrize("bad", [np.full((1, 5, 8), 1.2), np.full((1, 5, 8), -0.2), np.full((1, 5, 8), np.nan)])
def test_bad_probability(bad):
    with pytest.raises(UserError, match="probability"):
        ProbabilityToInstances()(bad)
    with pytest.raises(UserError, match="probability"):
        ProbabilityToInstances()(np.zeros((2, 5, 8)))


def test_bad_parameters():
    for bad in (
        {"threshold": 0},
        {"threshold": 1.1},
        {"min_size": -1},
        {"grow": -1},
        {"method": "x"},
        {"sigma": -1},
        {"height": 0},
    ):
        with pytest.raises(UserError, match=next(iter(bad))):
            ProbabilityToInstances(**bad)
    with pytest.raises(UserError, match="keys"):
        ProbabilityToInstancesd(["a", "b"])


def discs(*circles: tuple[int, int, int], shape: tuple[int, int] = (70, 95)) -> np.ndarray:
    """Smooth probability (1, H, W) that is 0.5 on the circles (row, column, radius) and rises to 1 inside them."""
    y, x = np.indices(shape)
    depth = np.max([radius - np.hypot(y - row, x - column) for row, column, radius in circles], axis=0)
    return (1 / (1 + np.exp(-depth)))[None]


def cells_of(probability: np.ndarray, **arguments: Any) -> np.ndarray:
    return ProbabilityToInstances(method="watershed", **arguments)(probability)[0]


def same_partition(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two label images differ in their numbers alone."""
    pairs = np.unique(np.stack([a.ravel(), b.ravel()]), axis=1)
    return all(len(np.unique(side)) == len(side) for side in pairs)


def test_watershed_divides_touching_discs_at_their_neck():
    result = cells_of(discs((35, 30, 18), (35, 60, 18)))
    assert result.max() == 2
    assert ProbabilityToInstances()(discs((35, 30, 18), (35, 60, 18))).max() == 1
    assert len(np.unique(result[:, :45][result[:, :45] > 0])) == 1
    assert len(np.unique(result[:, 46:][result[:, 46:] > 0])) == 1


@pytest.mark.parametrize("circle", [(35, 47, 25), (0, 0, 30), (12, 80, 3), (40, 40, 1)])
def test_watershed_leaves_one_cell_whole(circle):
    probability = discs(circle)
    np.testing.assert_array_equal(cells_of(probability), ProbabilityToInstances()(probability)[0])
    assert cells_of(probability).max() == 1


def test_watershed_of_cells_apart_is_components():
    """Also for cells too small for a maximum of the asked height."""
    probability = discs((20, 20, 14), (20, 60, 16), (55, 30, 4), (60, 70, 2))
    components = ProbabilityToInstances()(probability)[0]
    result = cells_of(probability, height=6.0)
    assert components.max() == 4
    assert same_partition(result, components)


def test_watershed_divides_less_with_more_height():
    random = np.random.RandomState(3)
    circles = [(*random.randint(10, 60, 2), random.randint(5, 14)) for _ in range(12)]
    counts = [cells_of(discs(*circles), height=height).max() for height in (0.2, 1, 3, 20)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[-1]


def test_watershed_follows_the_image():
    """A moved image has the cells moved; a transposed one has them transposed, but for ties of the flooding."""
    probability = discs((22, 26, 14), (24, 52, 13), (50, 48, 13))
    result = cells_of(probability)
    assert result.max() == 3
    moved = cells_of(np.roll(probability, (5, 17), (1, 2)))
    assert same_partition(moved, np.roll(result, (5, 17), (0, 1)))
    transposed = cells_of(probability.transpose(0, 2, 1)).T
    assert np.mean((transposed > 0) == (result > 0)) == 1
    assert np.mean(near_edges(transposed) == near_edges(result)) > 0.995


def near_edges(cells: np.ndarray) -> np.ndarray:
    """Where a pixel's right or lower neighbour is of another cell."""
    edges = np.zeros(cells.shape, bool)
    edges[:-1] |= cells[:-1] != cells[1:]
    edges[:, :-1] |= cells[:, :-1] != cells[:, 1:]
    return edges


def test_watershed_parts_below_min_size_go():
    probability = discs((35, 30, 18), (35, 55, 9))
    assert cells_of(probability, height=0.5).max() == 2
    small = np.bincount(cells_of(probability, height=0.5).ravel())[1:].min()
    assert cells_of(probability, height=0.5, min_size=small + 1).max() == 1
