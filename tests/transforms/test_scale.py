"""Random windows and labels at a working scale: training and inference show a network the same images."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import ndimage

from custom.inferers.working_scale import Rescaled
from custom.transforms import AntiAlias, InstancesToClasses, RandElasticGrid, RandSimardElastic, WeightMap
from custom.transforms.random_window import RandWindow

SHAPE, WINDOW = (61, 84), (24, 30)


def coordinates(window: RandWindow) -> np.ndarray:
    """Source coordinates (2, rows, columns) before mirroring."""
    warp = window.warp()
    flat = warp.left @ warp.right
    return flat if warp.offset is None else flat + warp.offset


@pytest.mark.parametrize("kind", [RandWindow, RandElasticGrid, RandSimardElastic])
@pytest.mark.parametrize("scale", [0.5, 0.8, 2.0])
def test_scale_divides_every_length(kind, scale):
    """Around the window's centre, the coordinates are those at scale 1 divided by the scale."""
    arguments = {"center": "uniform", "rotate_range": math.pi, "scale_range": 0.3, "flip_prob": 0.5}
    plain, scaled = kind(WINDOW, **arguments), kind(WINDOW, **arguments, scale=scale)
    for seed in range(3):
        relative = []
        for window in (plain, scaled):
            window.set_random_state(seed)
            window.randomize(SHAPE)
            center = window.start + (np.array(WINDOW) - 1) / 2 / window.scale
            relative.append(coordinates(window) - center[:, None, None])
        np.testing.assert_allclose(relative[1], relative[0] / scale, atol=1e-4)


def test_shifts_are_working_pixels():
    window = RandWindow(WINDOW, center="image", shift_range=6.0, scale=0.5)
    starts = []
    for seed in range(200):
        window.set_random_state(seed)
        window.randomize(SHAPE)
        starts.append(window.start)
    reach = np.ptp(starts, axis=0) / 2
    assert (reach > 11).all()
    assert (reach <= 12).all()


def test_tiles_cover_the_working_image():
    size = (10, 10)
    window = RandWindow(size, center="tiles", stride=8, scale=0.5)
    seen = np.zeros(SHAPE, bool)
    for seed in range(300):
        window.set_random_state(seed)
        window.randomize(SHAPE)
        y, x = coordinates(window)
        assert y.min() > -1e-6
        assert y.max() < SHAPE[0] - 1 + 1e-6
        seen[np.rint(y).astype(int), np.rint(x).astype(int)] = True
    assert ndimage.binary_dilation(seen, np.ones((3, 3))).all()


def test_training_shows_what_the_inferer_shows():
    """A tile without any randomness is a window of the inferer's working image."""
    scale, image = 0.5, np.random.RandomState(2).random_sample((1, 61, 85)).astype(np.float32)
    rescaled = Rescaled(image[None], scale)
    height, width = rescaled.shape[-2:]
    expected = rescaled[0, slice(None), slice(0, height), slice(0, width)].numpy()
    window = RandWindow((height, width), center="tiles", mode="cubic", scale=scale)
    np.testing.assert_allclose(window(AntiAlias(scale)(image)), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("border_width", "scale", "gap"), [(3, 0.5, 4), (5, 0.5, 8), (3, 0.25, 8), (3, 1, 2), (5, 2, 2)]
)
def test_border_in_working_pixels(border_width, scale, gap):
    instances = np.ones((1, 7, 60), np.int32)
    instances[..., 30:] = 2
    classes = InstancesToClasses(border_width, scale)(instances)
    assert (classes[0] == 0).sum(axis=1).tolist() == [gap] * 7
    assert gap * scale >= border_width - 1


def test_weights_in_working_pixels():
    """Three pixels of the half-size grid are six of the image."""
    instances = np.zeros((1, 60, 81), np.int32)
    instances[0, 10:40, 10:34] = 1
    instances[0, 14:50, 42:70] = 2
    whole = WeightMap(sigma=3, class_weights=[1, 1], scale=0.5)((instances > 0).astype(np.uint8), instances)
    expected = WeightMap(sigma=6, class_weights=[1, 1])((instances > 0).astype(np.uint8), instances)
    np.testing.assert_array_equal(whole, expected)
    assert whole.max() > 1.5
