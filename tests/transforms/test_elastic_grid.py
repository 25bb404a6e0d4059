"""The geometry of the elastic grid."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from monai.transforms import MapTransform, RandomizableTransform
from scipy import ndimage

from custom.data.mirror import mirror_window
from custom.transforms import RandElasticGrid, RandElasticGridD, RandElasticGridd, RandElasticGridDict
from custom.transforms.elastic_grid import spline_matrix
from custom.transforms.sampling import Warp

from .items import FULL, INNER, MARGIN, SHAPE, WINDOW, make_item, make_transform


def unfolded(warp: Warp) -> np.ndarray:
    """Source coordinates (2, rows, columns) before mirroring."""
    return warp.left @ warp.right


def test_is_a_monai_transform_in_three_spellings() -> None:
    assert RandElasticGridD is RandElasticGridDict is RandElasticGridd
    assert issubclass(RandElasticGridd, RandomizableTransform)
    assert issubclass(RandElasticGridd, MapTransform)
    assert issubclass(RandElasticGrid, RandomizableTransform)
    assert [str(b) for b in RandElasticGrid.backend] == ["numpy", "torch"]


@pytest.mark.parametrize("center", ["image", "uniform", "weighted", "tiles"])
@pytest.mark.parametrize("strength", [{"sigma": 0.0}, {"prob": 0.0, **FULL}])
def test_no_strength_gives_exactly_the_mirrored_window(strength: dict[str, Any], center: str) -> None:
    transform = make_transform(**strength, center=center, weight_key="weight", stride=16)
    transform.set_random_state(0)
    item = make_item()
    for _ in range(5):
        out = transform(item)
        start = transform.window.start.astype(int)
        inner = start + MARGIN
        np.testing.assert_array_equal(out["image"], mirror_window(item["image"], start, WINDOW))
        np.testing.assert_array_equal(out["label"], mirror_window(item["label"], inner, INNER))
        np.testing.assert_array_equal(out["weight"], mirror_window(item["weight"], inner, INNER))


def test_displacement_at_control_points_equals_the_vectors() -> None:
    transform = RandElasticGrid(WINDOW, grid_shape=(4, 3), sigma=10.0)
    transform.set_random_state(1)
    transform.randomize(SHAPE)
    upright = np.indices(WINDOW) + transform.start[:, None, None]
    displacement = unfolded(transform.warp()) - upright
    np.testing.assert_allclose(displacement[:, ::32, ::32], transform.vectors, atol=1e-9)
    assert np.abs(transform.vectors).min() > 1e-3


def test_two_points_an_axis_are_enough() -> None:
    window = RandElasticGrid((24, 31), grid_shape=2, sigma=3.0, mode="nearest").set_random_state(0)
    assert window(np.zeros((1, 40, 50), np.float32)).shape == (1, 24, 31)


def test_displacement_does_not_depend_on_rotation_and_scale() -> None:
    transform = RandElasticGrid(WINDOW, sigma=10.0, **FULL)
    transform.set_random_state(1)
    transform.randomize(SHAPE)
    bent = unfolded(transform.warp())
    transform.vectors = np.zeros_like(transform.vectors)
    displacement = bent - unfolded(transform.warp())
    transform.vectors, transform.matrix = np.ones((2, 3, 3)), np.eye(2)
    upright = unfolded(transform.warp()) - np.indices(WINDOW) - transform.start[:, None, None]
    np.testing.assert_allclose(upright, 1.0)
    assert 1 < displacement.std() < 20


def test_field_is_the_spline_of_scipy() -> None:
    vectors = np.random.default_rng(0).normal(0, 10, (3, 5))
    rows, columns = spline_matrix(3, 61), spline_matrix(5, 83)
    zoomed = ndimage.zoom(vectors, (61 / 3, 83 / 5), order=3, mode="mirror", grid_mode=False)
    np.testing.assert_allclose(rows @ vectors @ columns.T, zoomed, atol=1e-12)


@pytest.mark.parametrize("sigma", [3.0, 10.0])
def test_standard_deviation_of_the_field(sigma: float) -> None:
    transform = RandElasticGrid((33, 49), sigma=sigma)
    transform.set_random_state(2)
    fields = []
    for _ in range(500):
        transform.randomize(SHAPE)
        fields.append(unfolded(transform.warp()) - np.indices((33, 49)) - transform.start[:, None, None])
    std = np.std(fields, axis=(0, 1))
    np.testing.assert_allclose(std[::16, ::24], sigma, rtol=0.1)
    assert np.std(np.array(fields)[:, :, ::16, ::24]) == pytest.approx(sigma, rel=0.03)
    weights = np.sqrt(np.outer((spline_matrix(3, 33) ** 2).sum(1), (spline_matrix(3, 49) ** 2).sum(1)))
    np.testing.assert_allclose(std, sigma * weights, rtol=0.12)


def test_geometry_without_displacement() -> None:
    transform = RandElasticGrid(WINDOW, sigma=0.0, **FULL)
    transform.set_random_state(3)
    zooms, angles, flips, shifts = [], [], [], []
    for _ in range(400):
        transform.randomize(SHAPE)
        position = unfolded(transform.warp())
        down, right = position[:, 1, 0] - position[:, 0, 0], position[:, 0, 1] - position[:, 0, 0]
        assert down @ right == pytest.approx(0, abs=1e-9)
        assert np.hypot(*down) == pytest.approx(np.hypot(*right))
        zooms.append(1 / np.hypot(*down))
        angles.append(math.atan2(*right))
        flips.append(np.linalg.det(transform.matrix) < 0)
        middle = position[:, WINDOW[0] // 2, WINDOW[1] // 2]
        shifts.append(middle - (np.array(SHAPE) - WINDOW) // 2 - (np.array(WINDOW) - 1) / 2)
    assert 1 / 1.2 <= min(zooms) < 0.9
    assert 1.1 < max(zooms) <= 1.2
    assert np.mean(np.array(zooms) > 1) == pytest.approx(0.5, abs=0.1)
    assert min(angles) < -3
    assert max(angles) > 3
    assert np.mean(flips) == pytest.approx(0.5, abs=0.1)
    assert 4 < np.abs(shifts).max() <= 5


def test_flip_of_both_axes_is_exact() -> None:
    item = make_item()
    out = make_transform(sigma=0.0, flip_prob=1.0, center="image")(item)
    start = (np.array(SHAPE) - WINDOW) // 2
    np.testing.assert_array_equal(out["image"][:, ::-1, ::-1], mirror_window(item["image"], start, WINDOW))


def test_rotation_turns_as_scipy_does() -> None:
    image = ndimage.gaussian_filter(np.random.default_rng(5).random((51, 51)), 3)[None].astype(np.float32)
    transform = RandElasticGrid((21, 21), sigma=0.0, mode="linear", rotate_range=math.pi)
    transform.set_random_state(4)
    out = transform(image)
    center = np.array([25.0, 25.0])
    turned = ndimage.affine_transform(image[0], transform.matrix, center - transform.matrix @ center, order=1)
    np.testing.assert_allclose(out[0], turned[15:36, 15:36], atol=1e-5)
    assert abs(transform.matrix[0, 1]) > 0.1


def test_label_and_image_read_the_same_coordinates() -> None:
    item = make_item()
    item["image"] = item["label"].astype(np.float32)
    transform = make_transform(mode=["nearest", "nearest", "linear"], **FULL).set_random_state(5)
    for _ in range(5):
        out = transform(item)
        np.testing.assert_array_equal(out["image"][:, 28:69, 16:49], out["label"])


def test_label_warped_equals_instances_warped() -> None:
    instances = (np.arange(60)[:, None] // 7 * 20 + np.arange(83) // 5).astype(np.int32)[None]
    item = {"image": instances, "label": (instances % 3 == 0).astype(np.uint8), "weight": instances.astype(np.float32)}
    out = make_transform(mode="nearest", spatial_size=WINDOW, **FULL).set_random_state(6)(item)
    assert out["image"].dtype == np.int32
    assert out["label"].dtype == np.uint8
    np.testing.assert_array_equal(out["image"] % 3 == 0, out["label"] == 1)


def test_dots_in_image_and_label_stay_aligned() -> None:
    y, x = np.indices((200, 264))
    distance = np.hypot(y % 66 - 33, x % 66 - 33)
    ids = np.where(distance <= 14, y // 66 * 4 + x // 66 + 1, 0).astype(np.int32)
    item = {"image": np.clip(14.5 - distance, 0, 1).astype(np.float32)[None], "label": ids[None]}
    transform = RandElasticGridd(("image", "label"), [[230, 290], [180, 240]], ["cubic", "nearest"], sigma=10.0)
    transform.set_random_state(0)
    errors = []
    for _ in range(10):
        out = transform(item)
        image, label = out["image"][0, 25:-25, 25:-25], out["label"][0]
        for number in range(1, 13):
            around = ndimage.binary_dilation(label == number, iterations=3)
            if around[0].any() or around[-1].any() or around[:, 0].any() or around[:, -1].any() or not around.any():
                continue
            if ndimage.label(around)[1] > 1:
                continue  # the dot and its mirror image
            centre = np.array(ndimage.center_of_mass(np.where(around, image, 0)))
            errors.append(centre - ndimage.center_of_mass(label == number))
    assert len(errors) > 50
    assert np.sqrt(np.mean(np.square(errors))) < 0.1
    assert np.abs(np.mean(errors, axis=0)).max() < 0.02
