from __future__ import annotations

import math
import pickle
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import map_coordinates
from scipy.signal import convolve2d

from custom.data.mirror import mirror_window
from custom.errors import UserError
from custom.transforms import RandSimardElastic, RandSimardElasticD, RandSimardElasticd, RandSimardElasticDict
from custom.transforms.simard import gaussian_kernel

SHAPE, WINDOW, INNER = (60, 83), (97, 65), (41, 33)
MARGIN = np.array([28, 16])  # from the window to its centre INNER
KEYS = ("image", "label")


def make_transform(**changes: Any) -> RandSimardElasticd:
    arguments: dict[str, Any] = {"mode": ["linear", "nearest"], "center": "tiles", "prob": 1.0}
    return RandSimardElasticd(KEYS, [WINDOW, INNER], **(arguments | changes))


def make_item() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {"image": rng.random((1, *SHAPE), dtype=np.float32), "label": rng.integers(0, 5, (1, *SHAPE), np.int32)}


def test_kernel_is_gaussian_about_half_its_size() -> None:
    kernel = gaussian_kernel(25, 5.0)
    assert kernel.sum() == pytest.approx(1)
    np.testing.assert_allclose(kernel[1:], kernel[:0:-1])
    assert kernel[12] == pytest.approx(kernel[13])
    assert kernel[13] / kernel[18] == pytest.approx(math.exp((5.5**2 - 0.5**2) / 50))


def test_displacement_is_the_noise_convolved_in_two_dimensions() -> None:
    transform = RandSimardElastic(WINDOW, prob=1.0).set_random_state(0)
    transform.randomize(SHAPE)
    state = RandSimardElastic(WINDOW, prob=1.0).set_random_state(0)
    state.R.rand()
    state._draw_matrix()
    state.R.uniform(size=2)
    noise = state.R.uniform(-1, 1, (2, *WINDOW))
    kernel = np.outer(gaussian_kernel(25, 5.0), gaussian_kernel(25, 5.0))
    expected = [50 * convolve2d(component, kernel, mode="same") for component in noise]
    np.testing.assert_allclose(transform.displacement, expected, atol=1e-4)


def test_displacement_spreads_as_documented() -> None:
    transform = RandSimardElastic(300, prob=1.0).set_random_state(0)
    transform.randomize((300, 300))
    assert transform.displacement is not None
    assert transform.displacement[:, 20:-20, 20:-20].std() == pytest.approx(1.6, rel=0.1)


def test_reads_the_mirrored_image_once() -> None:
    item = make_item()
    transform = make_transform(center="image").set_random_state(1)
    out = transform(item)
    reach = 60
    padded = np.pad(item["image"][0].astype(np.float64), reach, mode="reflect")
    corner = (reach + (np.array(SHAPE) - WINDOW) // 2)[:, None, None]
    position = np.indices(WINDOW) + corner + transform.window.displacement
    np.testing.assert_allclose(out["image"][0], map_coordinates(padded, position, order=1), atol=1e-4)
    labels = np.pad(item["label"][0], reach, mode="reflect")
    inner = np.rint(position[:, 28:69, 16:49]).astype(int)
    np.testing.assert_array_equal(out["label"][0], labels[inner[0], inner[1]])


@pytest.mark.parametrize("strength", [{"alpha": 0.0}, {"prob": 0.0, "rotate_range": 1.0}])
def test_no_strength_gives_exactly_a_tile(strength: dict[str, float]) -> None:
    item = make_item()
    transform = make_transform(stride=19, **strength).set_random_state(0)
    corners = set()
    for _ in range(40):
        out = transform(item)
        corner = (transform.window.start + MARGIN).astype(int)
        corners.add(tuple(corner))
        np.testing.assert_array_equal(out["label"], mirror_window(item["label"], corner, INNER))
        np.testing.assert_array_equal(out["image"], mirror_window(item["image"], corner - MARGIN, WINDOW))
    assert corners == {(row, column) for row in (0, 19) for column in (0, 19, 38, 50)}


def test_label_follows_the_image_under_affine_maps_too() -> None:
    item = make_item()
    item["image"] = item["label"]
    transform = make_transform(mode="nearest", rotate_range=math.radians(3), shift_range=3.0).set_random_state(2)
    out = transform(item)
    np.testing.assert_array_equal(out["image"][:, 28:69, 16:49], out["label"])


def test_defaults_and_a_narrow_gaussian() -> None:
    transform = RandSimardElasticd(KEYS, [WINDOW, INNER], sigma=0.5)
    assert transform.window.prob == 0.7
    assert transform.window.kernel.max() > 0.4


def test_probability() -> None:
    transform = make_transform(prob=0.7).set_random_state(0)
    drawn = []
    for _ in range(300):
        transform.randomize(SHAPE)
        drawn.append(transform.window.displacement is not None)
    assert np.mean(drawn) == pytest.approx(0.7, abs=0.08)


def test_seed_pickle_and_names() -> None:
    assert RandSimardElasticD is RandSimardElasticDict is RandSimardElasticd
    item, transform = make_item(), make_transform()
    first = transform.set_random_state(4)(item)["image"]
    copy = pickle.loads(pickle.dumps(transform))
    np.testing.assert_array_equal(transform.set_random_state(4)(item)["image"], first)
    np.testing.assert_array_equal(copy.set_random_state(4)(item)["image"], first)
    assert not np.array_equal(transform(item)["image"], first)


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"kernel_size": 24}, "kernel_size is 24"), ({"alpha": -1.0}, "alpha is -1"), ({"sigma": 0.0}, "sigma is 0")],
)
def test_bad_arguments_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        make_transform(**changes)
