from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from custom.errors import UserError
from custom.transforms import AntiAlias, AntiAliasD, AntiAliasd, AntiAliasDict


def image(channels: int = 2) -> np.ndarray:
    return np.random.RandomState(1).random_sample((channels, 31, 44)).astype(np.float32)


def test_identity_from_scale_one():
    given = image()
    assert AntiAlias(1.0)(given) is given
    assert AntiAlias(1.5)(given) is given


def test_takes_away_what_half_size_cannot_show():
    stripes = np.zeros((1, 30, 41), np.float32)
    stripes[..., ::2] = 1
    assert np.ptp(AntiAlias(0.25)(stripes)[..., 10:30]) < 0.01
    np.testing.assert_allclose(AntiAlias(0.25)(np.full((1, 5, 9), 0.7)), 0.7, rtol=1e-6)  # also at the borders


def test_channels_are_independent():
    given = image()
    alone = [AntiAlias(0.4)(given[i : i + 1]) for i in range(2)]
    np.testing.assert_array_equal(AntiAlias(0.4)(given), np.concatenate(alone))


def test_containers():
    expected = AntiAlias(0.5)(image())
    for given in (torch.from_numpy(image()).double(), MetaTensor(torch.from_numpy(image()), meta={"key": 1})):
        found = AntiAlias(0.5)(given)
        assert type(found) is type(given)
        assert found.dtype == torch.float32
        np.testing.assert_allclose(np.asarray(found), expected, atol=1e-6)
    assert found.meta["key"] == 1


def test_dictionary():
    item = {"image": image(), "label": np.ones((1, 31, 44), np.uint8)}
    found = pickle.loads(pickle.dumps(AntiAliasd("image", scale=0.5)))(item)
    np.testing.assert_array_equal(found["image"], AntiAlias(0.5)(item["image"]))
    assert found["label"] is item["label"]
    assert AntiAliasd is AntiAliasD is AntiAliasDict
    with pytest.raises(UserError, match="scale"):
        AntiAliasd("image", scale=0)
    with pytest.raises(UserError, match="img"):
        AntiAlias(0.5)(np.zeros((5, 5)))
