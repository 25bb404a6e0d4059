"""Instances to two classes and back: no two cells ever join, and none is lost that could be kept."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import tifffile
import torch
from monai.data import MetaTensor
from scipy import ndimage
from scipy.spatial.distance import cdist

from custom.errors import UserError
from custom.transforms import (
    InstancesToClasses,
    InstancesToClassesD,
    InstancesToClassesd,
    InstancesToClassesDict,
    ProbabilityToInstances,
    ProbabilityToInstancesD,
    ProbabilityToInstancesd,
    ProbabilityToInstancesDict,
)

EIGHT = np.ones((3, 3))


def mosaic(seed: int, shape: tuple[int, int] = (61, 83), cells: int = 25, background: float = 0.3) -> np.ndarray:
    """Touching cells of all sizes: the nearest of random points, with some of them background."""
    random = np.random.RandomState(seed)
    points = random.random_sample((cells, 2)) * shape
    pixels = np.stack(np.indices(shape), axis=-1).reshape(-1, 2)
    ids = cdist(pixels, points).argmin(axis=1).reshape(shape) + 1
    return np.where(np.isin(ids, np.flatnonzero(random.random_sample(cells + 1) < background)), 0, ids)


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


@pytest.mark.parametrize("border_width", [3, 5, 7])
@pytest.mark.parametrize("seed", range(4))
def test_no_connectivity_joins_two_cells(seed, border_width):
    instances = mosaic(seed)
    classes = InstancesToClasses(border_width)(instances[None])[0]
    assert not classes[instances == 0].any()
    kept = np.unique(instances[classes == 1])
    np.testing.assert_array_equal(kept, np.unique(instances[instances > 0]))
    for structure in (None, EIGHT):
        components, count = ndimage.label(classes == 1, structure)
        for component in range(1, count + 1):
            assert len(np.unique(instances[components == component])) == 1


@pytest.mark.parametrize("border_width", [3, 5, 7])
@pytest.mark.parametrize("seed", range(3))
def test_pixels_far_from_other_cells_stay(seed, border_width):
    """A pixel is background exactly if the square around it holds another cell, in cells that survive."""
    instances = mosaic(seed, cells=12)
    radius = border_width // 2
    classes = InstancesToClasses(border_width)(instances[None])[0]
    for cell in np.unique(instances[instances > 0]):
        others = (instances > 0) & (instances != cell)
        near = ndimage.binary_dilation(others, np.ones((border_width, border_width)))
        inside = instances == cell
        if (inside & ~near).any():
            np.testing.assert_array_equal(classes[inside], ~near[inside])
    for cell in np.unique(instances[instances > 0]):
        own = (classes == 1) & (instances == cell)
        away = ndimage.distance_transform_cdt(~own, "chessboard")
        others = (classes == 1) & (instances != cell)
        assert not (away[others] <= radius).any()


@pytest.mark.parametrize("border_width", [3, 5, 9])
def test_border_of_two_halves(border_width):
    instances = np.ones((1, 7, 40), np.uint16)
    instances[..., 20:] = 2
    classes = InstancesToClasses(border_width)(instances)
    background = 20 + np.arange(border_width - 1) - (border_width - 1) // 2
    np.testing.assert_array_equal(np.flatnonzero(classes[0, 3] == 0), background)
    assert (classes == classes[:, :1]).all()


def test_corner_contact_is_contact():
    instances = np.zeros((1, 6, 8), np.int32)
    instances[0, :3, :4] = 1
    instances[0, 3:, 4:] = 2
    assert ndimage.label(InstancesToClasses()(instances)[0], EIGHT)[1] == 2


def test_cells_that_do_not_touch_stay_whole():
    instances = np.zeros((1, 9, 14), np.int32)
    instances[0, 2:7, 1:6] = 3
    instances[0, 2:7, 7:14] = 8  # one pixel of background between
    np.testing.assert_array_equal(InstancesToClasses()(instances), instances > 0)


def test_ignore():
    instances = np.ones((1, 6, 9), np.int32)
    instances[..., 5:] = -1
    classes = InstancesToClasses()(instances)
    assert (classes[..., :5] == 1).all()
    assert (classes[..., 5:] == 255).all()


@pytest.mark.parametrize(
    ("instances", "expected"),
    [
        ([[1, 1, 2, 2]], [[1, 0, 0, 1]]),
        ([[1, 1, 1], [1, 3, 1], [1, 1, 1]], [[0, 0, 0], [0, 1, 0], [0, 0, 0]]),  # the smallest first
        ([[1, 2, 2, 3]], [[1, 0, 0, 1]]),  # no room for the middle one: it becomes background
        ([[1, 2]], [[1, 0]]),
        ([[4, 4, 4, 4, 4], [4, 4, 9, 4, 4], [4, 4, 4, 4, 4]], [[1, 0, 0, 0, 1], [1, 0, 1, 0, 1], [1, 0, 0, 0, 1]]),
        ([[7, 7, 7, 2**30]], [[1, 1, 0, 1]]),
    ],
)
def test_small_cells_are_kept(instances, expected):
    np.testing.assert_array_equal(InstancesToClasses()(np.array(instances)[None])[0], expected)


def test_classes_keep_the_container():
    instances = mosaic(0)[None].astype(np.int32)
    before = instances.copy()
    expected = InstancesToClasses()(instances)
    assert expected.dtype == np.uint8
    np.testing.assert_array_equal(instances, before)
    for given in (torch.as_tensor(instances), MetaTensor(torch.as_tensor(instances).float(), meta={"key": 1})):
        classes = InstancesToClasses()(given)
        assert type(classes) is type(given)
        assert classes.dtype == torch.uint8
        np.testing.assert_array_equal(np.asarray(classes), expected)
    assert classes.meta["key"] == 1


def test_classes_dictionary():
    given = {"image": 0, "instance": mosaic(1)[None].astype(np.int32)}
    result = InstancesToClassesd(border_width=5)(given)
    np.testing.assert_array_equal(result["label"], InstancesToClasses(5)(given["instance"]))
    assert result["instance"] is given["instance"]
    assert set(given) == {"image", "instance"}
    assert InstancesToClassesd(allow_missing_keys=True)({"image": 1}) == {"image": 1}
    assert InstancesToClassesd is InstancesToClassesD is InstancesToClassesDict
    pickle.loads(pickle.dumps(InstancesToClassesd()))(given)


@pytest.mark.parametrize(
    "instances",
    [np.zeros((5, 8)), np.zeros((3, 5, 8)), np.zeros((1, 0, 8)), np.full((1, 5, 8), 1.5), np.full((1, 5, 8), -2)],
)
def test_bad_instances(instances):
    with pytest.raises(UserError, match="instance"):
        InstancesToClasses()(instances)


def test_bad_border_width():
    for width in (1, 4, -3):
        with pytest.raises(UserError, match="border_width"):
            InstancesToClasses(width)
    with pytest.raises(TypeError, match="list"):
        InstancesToClasses()([[[1, 2]]])
    with pytest.raises(UserError, match="keys"):
        InstancesToClassesd(keys=["label", "other"])


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
    mask[0, 12, 0] = 0  # a notch at the edge of the image is none
    mask[0, 4:14, 18:28] = 0  # a border ...
    mask[0, 6:12, 20:26] = 1  # ... around a cell inside the other
    result = ProbabilityToInstances()(mask)[0]
    assert result.max() == 3
    assert (result[4:7, 3:6] == 1).all()
    assert result[12, 0] == 0
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


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 9), (1, 9, 1), (1, 6, 9)])
def test_all_or_nothing(shape):
    transform = ProbabilityToInstances(min_size=1, grow=2)
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
    for bad in ({"threshold": 0}, {"threshold": 1.1}, {"min_size": -1}, {"grow": -1}):
        with pytest.raises(UserError, match=next(iter(bad))):
            ProbabilityToInstances(**bad)
    with pytest.raises(UserError, match="keys"):
        ProbabilityToInstancesd(["a", "b"])
