"""Instances to two classes: cells are never joined, and not lost if they can be kept."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
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
)

EIGHT = np.ones((3, 3))


def mosaic(seed: int, shape: tuple[int, int] = (61, 83), cells: int = 25, background: float = 0.3) -> np.ndarray:
    """Touching cells of all sizes: the nearest of random points, with some of them background."""
    random = np.random.RandomState(seed)
    points = random.random_sample((cells, 2)) * shape
    pixels = np.stack(np.indices(shape), axis=-1).reshape(-1, 2)
    ids = cdist(pixels, points).argmin(axis=1).reshape(shape) + 1
    return np.where(np.isin(ids, np.flatnonzero(random.random_sample(cells + 1) < background)), 0, ids)


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
