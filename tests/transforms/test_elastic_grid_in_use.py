"""The elastic grid with MONAI: array types, seeds, caches, workers."""

from __future__ import annotations

import pickle

import numpy as np
import torch
from monai.data import CacheDataset, DataLoader, MetaTensor
from monai.transforms import Compose

from custom.transforms import RandElasticGrid

from .items import FULL, INNER, KEYS, WINDOW, make_item, make_transform


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
