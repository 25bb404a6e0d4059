"""A class for contact between cells: in labels, in probabilities, and in the division of cells."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage
from skimage.morphology import h_maxima
from skimage.segmentation import watershed

from custom.classes import as_prediction, split_contact
from custom.constants import CONTACT, IGNORED
from custom.errors import UserError
from custom.transforms import (
    InstancesToClasses,
    InstancesToClassesd,
    ProbabilityToInstances,
    ProbabilityToInstancesd,
    SplitContactd,
)

from .test_instances import mosaic


def labelled(instances: np.ndarray, border_width: int = 3, scale: float = 1.0) -> np.ndarray:
    """Classes (H, W) of ids (H, W)."""
    return InstancesToClasses(border_width, scale, contact=True)(instances[None])[0]


@pytest.mark.parametrize("border_width", [3, 7])
@pytest.mark.parametrize("seed", range(3))
def test_contact_is_near_two_cells_and_the_rest_is_as_without(seed, border_width):
    """By the definition: the squares around the pixels of a cell, of how many cells they hold a pixel."""
    instances = mosaic(seed)
    instances[20:26, 30:50] = -1
    plain, classes = InstancesToClasses(border_width)(instances[None])[0], labelled(instances, border_width)
    square, ids = np.ones((border_width, border_width)), np.unique(instances[instances > 0])
    near = np.sum([ndimage.binary_dilation(instances == cell, square) for cell in ids], axis=0)
    np.testing.assert_array_equal(classes == CONTACT, (near >= 2) & (plain == 0))
    is_contact = classes == CONTACT
    np.testing.assert_array_equal(classes[~is_contact], plain[~is_contact])
    assert ((classes > 0) | (instances <= 0)).all()  # all of the cells is foreground
    assert (is_contact & (instances == 0)).any()


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_contact_is_symmetric_in_the_two_cells(scale):
    instances = np.zeros((9, 41), np.int32)
    instances[2:7, 3:20], instances[2:7, 20:37] = 1, 2
    classes = labelled(instances, 5, scale)
    assert np.flatnonzero(classes[4] == CONTACT).tolist() == list(range(20 - round(2 / scale), 20 + round(2 / scale)))
    np.testing.assert_array_equal(classes[:, ::-1], labelled(instances[:, ::-1], 5, scale))
    np.testing.assert_array_equal(classes, labelled(np.array([0, 7, 3])[instances], 5, scale))
    np.testing.assert_array_equal(classes.T, labelled(instances.T.copy(), 5, scale))


@pytest.mark.parametrize(("border_width", "expected"), [(3, []), (5, [10, 11]), (7, [9, 10, 11, 12])])
def test_contact_closes_narrow_gaps_and_cells_apart_have_none(border_width, expected):
    instances = np.zeros((9, 30), np.int32)
    instances[2:7, 2:10], instances[2:7, 12:20] = 1, 2
    assert np.flatnonzero(labelled(instances, border_width)[4] == CONTACT).tolist() == expected


def test_ignored_pixels_make_no_contact():
    instances = np.full((6, 11), 1)
    instances[:, 5:] = -1
    assert labelled(instances)[0].tolist() == [1] * 5 + [IGNORED] * 6


def test_dictionary_version_of_tensors():
    instances = torch.from_numpy(mosaic(1))[None]
    found = InstancesToClassesd(border_width=5, contact=True)({"instance": instances})["label"]
    np.testing.assert_array_equal(found.numpy()[0], labelled(instances.numpy()[0], 5))


def bar() -> tuple[np.ndarray, np.ndarray]:
    """Foreground probability of a straight bar without a neck, and of contact across it, (1, H, W)."""
    foreground, contact = np.full((2, 1, 30, 70), 0.02, np.float32)
    foreground[0, 6:24, 5:65] = 0.95
    contact[0, 6:24, 33:37] = 0.9
    return foreground, contact


def test_contact_divides_what_shape_cannot():
    foreground, contact = bar()
    shape, learned = (ProbabilityToInstances(method=m, min_size=20) for m in ("watershed", "contact"))
    assert shape(foreground).max() == 1
    found = learned(foreground, contact)[0]
    np.testing.assert_array_equal(found > 0, foreground[0] >= 0.5)
    assert [np.unique(found[:, part]).tolist() for part in (np.s_[:34], np.s_[36:])] == [[0, 1], [0, 2]]
    item = {"pred": torch.from_numpy(foreground), "contact": torch.from_numpy(contact)}
    again = ProbabilityToInstancesd("pred", method="contact", min_size=20)(item)["instance"]
    np.testing.assert_array_equal(again[0].numpy(), found)
    for other in ("components", "watershed"):  # which are those of the foreground, whatever the contact
        rule = ProbabilityToInstances(method=other)
        np.testing.assert_array_equal(rule(foreground, contact), rule(foreground))


def test_without_contact_shape_alone_divides():
    noise = ndimage.gaussian_filter(np.random.default_rng(0).random((80, 110)), 4)[None]
    probability = ((noise - noise.min()) / np.ptp(noise)).astype(np.float32)
    shape, learned = (ProbabilityToInstances(method=m, sigma=1, height=1) for m in ("watershed", "contact"))
    assert shape(probability).max() > 8
    np.testing.assert_array_equal(learned(probability, np.zeros_like(probability)), shape(probability))


def noise(seed: int) -> np.ndarray:
    """Smooth random values from 0 to 1, (60, 90)."""
    values = ndimage.gaussian_filter(np.random.default_rng(seed).random((60, 90)), 2)
    return (values - values.min()) / np.ptp(values)


@pytest.mark.parametrize("seed", range(3))
def test_seeds_are_far_from_background_and_contact_where_the_cell_is_likely(seed):
    """By the definition; three holes are filled, whose pixels are inside whatever the contact there."""
    foreground, contact = noise(seed) ** 0.5, noise(seed + 10)
    contact = np.minimum(contact, foreground)
    components = ProbabilityToInstances()(foreground[None])[0]
    mask = components > 0
    assert (mask & (foreground < 0.5)).any()
    inside = mask & ~((contact > foreground / 2) & (foreground >= 0.5))
    elevation = ndimage.gaussian_filter(ndimage.distance_transform_edt(inside) * (foreground - contact), 0.5) * mask
    seeds, count = ndimage.label(h_maxima(elevation, 0.5).astype(bool) & mask, np.ones((3, 3)))
    alone = mask & ~np.isin(components, components[seeds > 0])
    expected = watershed(-elevation, np.where(alone, components + count, seeds), mask=mask)
    found = ProbabilityToInstances(method="contact", sigma=0.5, height=0.5)(foreground[None], contact[None])[0]
    assert found.max() > components.max()
    pairs = np.unique(np.stack([found, expected]).reshape(2, -1), axis=1)
    assert pairs.shape[1] == found.max() + 1 == len(np.unique(expected))


def test_an_image_of_cells_alone_is_divided_by_contact():
    rule = ProbabilityToInstances(method="contact", sigma=0, height=1)
    assert rule(0.5 + noise(0)[None] / 2, np.zeros((1, 60, 90))).max() == 1  # there is no distance to anything
    contact = np.zeros((1, 20, 31))
    contact[0, :, 14:16] = 1
    assert rule(np.ones((1, 20, 31)), contact).max() == 2


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_contact_everywhere_loses_no_component(value):
    foreground = np.full((1, 7, 12), value)
    assert (ProbabilityToInstances(method="contact")(foreground, foreground) == value).all()


def test_bad_contact_is_refused():
    rule, foreground = ProbabilityToInstances(method="contact"), np.ones((1, 4, 6))
    for contact, message in (
        (None, 'method: "contact" needs the probability of contact'),
        (np.ones((1, 6, 4)), r"contact: got size \(6, 4\), expected \(4, 6\)"),
        (foreground + 1, "contact: got values from 2.0 to 2.0"),
    ):
        with pytest.raises(UserError, match=message):
            rule(foreground, contact)


@pytest.mark.parametrize("of", [np.asarray, torch.from_numpy])
def test_foreground_is_what_is_not_background(of):
    probability = of(np.random.default_rng(1).dirichlet([1, 1, 1], (5, 8)).transpose(2, 0, 1).copy())
    two, contact = split_contact(probability)
    np.testing.assert_allclose(as_prediction(two)[0], probability[1] + probability[2])
    np.testing.assert_allclose(two.sum(0), 1)
    np.testing.assert_array_equal(contact, probability[2:])
    item = SplitContactd("pred")({"pred": probability})
    np.testing.assert_array_equal(item["pred"], two)
    np.testing.assert_array_equal(item["contact"], contact)
    with pytest.raises(UserError, match="keys: got"):
        SplitContactd(["pred", "other"])
