"""Noise of MONAI's arguments and distribution, repeatable, whatever its container."""

from __future__ import annotations

import monai.transforms
import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from custom.transforms import RandGaussianNoise, RandGaussianNoised

SHAPE = (2, 120, 250)


@pytest.mark.parametrize("make", [RandGaussianNoise, monai.transforms.RandGaussianNoise])
@pytest.mark.parametrize(("mean", "std"), [(0.0, 0.3), (0.7, 0.05)])
def test_moments_are_those_asked_for(make, mean, std):
    noise = make(prob=1.0, mean=mean, std=std, sample_std=False).set_random_state(seed=2)
    drawn = np.asarray(noise(np.zeros(SHAPE, np.float32))).astype(float)
    error = std / np.sqrt(drawn.size)
    assert abs(drawn.mean() - mean) < 5 * error
    assert abs(drawn.std() - std) < 5 * error
    standard = (drawn - mean) / std
    assert abs((standard**4).mean() - 3) < 5 * np.sqrt(96 / drawn.size)
    neighbours = (standard[..., :-1] * standard[..., 1:]).mean()
    assert abs(neighbours) < 5 / np.sqrt(drawn.size)


def test_the_spread_is_drawn_for_each_image():
    noise = RandGaussianNoise(prob=1.0, std=0.4).set_random_state(seed=1)
    spreads = [float(noise(torch.zeros(1, 50, 70)).std()) for _ in range(200)]
    assert 0 < min(spreads) < 0.02
    assert 0.38 < max(spreads) < 0.42
    assert abs(np.mean(spreads) - 0.2) < 5 * 0.4 / np.sqrt(12 * 200)


def test_one_seed_is_one_noise_and_each_image_has_its_own():
    image = torch.rand(1, 30, 40)
    noise = RandGaussianNoise(prob=1.0).set_random_state(seed=5)
    first, second = noise(image), noise(image)
    assert not torch.equal(first, second)
    assert torch.equal(RandGaussianNoise(prob=1.0).set_random_state(seed=5)(image), first)
    assert not torch.equal(RandGaussianNoise(prob=1.0).set_random_state(seed=6)(image), first)


def test_the_keys_of_an_item_share_their_noise_and_others_stay():
    item = {"image": torch.zeros(1, 30, 40), "other": torch.ones(1, 30, 40), "label": torch.ones(1, 30, 40)}
    done = RandGaussianNoised(["image", "other"], prob=1.0).set_random_state(seed=0)(item)
    assert torch.allclose(done["image"] + 1, done["other"])
    assert done["image"].std() > 0
    assert done["label"] is item["label"]


def test_it_is_applied_as_often_as_asked():
    noise = RandGaussianNoised("image", prob=0.3).set_random_state(seed=0)
    changed = sum(bool(noise({"image": torch.zeros(1, 3, 5)})["image"].any()) for _ in range(1000))
    assert abs(changed - 300) < 5 * np.sqrt(1000 * 0.3 * 0.7)


def test_a_missing_key_is_refused_unless_allowed():
    with pytest.raises(KeyError, match="image"):
        RandGaussianNoised("image", prob=1.0)({})
    assert RandGaussianNoised("image", prob=1.0, allow_missing_keys=True)({}) == {}


@pytest.mark.parametrize(
    "image", [np.full((1, 4, 6), 7, np.uint16), torch.full((1, 4, 6), 7), MetaTensor(torch.ones(1, 4, 6))]
)
def test_images_of_any_kind_become_float32_and_keep_their_metadata(image):
    if isinstance(image, MetaTensor):
        image.meta["name"] = "a"
    done = RandGaussianNoise(prob=1.0, std=0.1)(image)
    assert done.dtype == torch.float32
    assert done.shape == (1, 4, 6)
    assert isinstance(done, MetaTensor)
    assert done.meta.get("name") == getattr(image, "meta", {}).get("name")
