from __future__ import annotations

import math
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from monai.data import CacheDataset, DataLoader, MetaTensor
from monai.transforms import Compose, MapTransform, RandomizableTransform
from scipy import ndimage

from custom.data.mirror import mirror_window
from custom.errors import UserError
from custom.transforms import RandElasticGrid, RandElasticGridD, RandElasticGridd, RandElasticGridDict
from custom.transforms.elastic_grid import spline_matrix
from custom.transforms.random_window import tile_starts
from custom.transforms.sampling import Warp

SHAPE, WINDOW, INNER = (60, 83), (97, 65), (41, 33)
MARGIN = np.array([28, 16])  # from the window to its centre INNER
KEYS = ("image", "label", "weight")
FULL: dict[str, Any] = {"rotate_range": math.pi, "flip_prob": 0.5, "scale_range": 0.2, "shift_range": 5.0}


def make_item(seed: int = 0, shape: tuple[int, int] = SHAPE) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "image": rng.random((1, *shape), dtype=np.float32),
        "label": rng.integers(0, 9, (1, *shape)).astype(np.uint8),
        "weight": rng.random((1, *shape), dtype=np.float32),
    }


def make_transform(**changes: Any) -> RandElasticGridd:
    arguments: dict[str, Any] = {
        "spatial_size": [WINDOW, INNER, INNER],
        "mode": ["cubic", "nearest", "linear"],
        "center": "uniform",
    }
    return RandElasticGridd(KEYS, **(arguments | changes))


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


def test_the_same_seed_gives_the_same_windows() -> None:
    item, transform = make_item(), make_transform(**FULL)
    first = [transform.set_random_state(9)(item), transform(item)]
    second = [transform.set_random_state(9)(item), transform(item)]
    for a, b in zip(first, second, strict=True):
        for key in KEYS:
            np.testing.assert_array_equal(a[key], b[key])
    assert not np.array_equal(first[0]["image"], first[1]["image"])


def test_array_and_dictionary_agree() -> None:
    item = make_item()
    array = RandElasticGrid(WINDOW, center="uniform", **FULL).set_random_state(7)
    out = make_transform(**FULL).set_random_state(7)(item)
    np.testing.assert_array_equal(array(item["image"]), out["image"])
    np.testing.assert_array_equal(array(item["image"], randomize=False), out["image"])


def test_numpy_torch_and_metatensor_agree() -> None:
    item, transform = make_item(), make_transform(**FULL)
    out = transform.set_random_state(8)(item)
    for wrap, kind in [(torch.from_numpy, torch.Tensor), (lambda a: MetaTensor(torch.from_numpy(a)), MetaTensor)]:
        other = transform.set_random_state(8)({key: wrap(value) for key, value in item.items()})
        for key in KEYS:
            assert type(other[key]) is kind
            np.testing.assert_array_equal(other[key].numpy(), out[key])
    assert out["image"].shape == (1, *WINDOW)
    assert out["label"].shape == out["weight"].shape == (1, *INNER)


def test_input_is_left_alone() -> None:
    item, untouched = make_item(), make_item()
    make_transform(**FULL)(item)
    for key in KEYS:
        np.testing.assert_array_equal(item[key], untouched[key])


def test_pickled_transform_continues_the_same() -> None:
    item, transform = make_item(), make_transform(**FULL).set_random_state(1)
    transform(item)
    copy = pickle.loads(pickle.dumps(transform))
    np.testing.assert_array_equal(copy(item)["image"], transform(item)["image"])


def test_workers_draw_differently_and_repeatably() -> None:
    def run() -> list[torch.Tensor]:
        transform = Compose([make_transform(**FULL)]).set_random_state(3)
        data = CacheDataset([make_item()] * 4, transform, progress=False)
        torch.manual_seed(0)
        return [batch["image"] for batch in DataLoader(data, batch_size=1, num_workers=2)]

    first, second = run(), run()
    for i in range(4):
        assert torch.equal(first[i], second[i])
        for j in range(i):
            assert not torch.equal(first[i], first[j])


def test_cached_items_stay_as_they_are() -> None:
    data = CacheDataset([make_item()], Compose([make_transform(**FULL)]), progress=False)
    first, second = data[0]["image"], data[0]["image"]
    assert not np.array_equal(first, second)
    for key, value in make_item().items():
        np.testing.assert_array_equal(data._cache[0][key], value)


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
