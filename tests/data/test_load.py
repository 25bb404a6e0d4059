"""Loaded tensors: (1, H, W), gray values in [0, 1], class indices, instance ids."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from monai.data import DataLoader, Dataset, MetaTensor

from custom.data import LabelFormat, LoadMicroscopyD, LoadMicroscopyd, LoadMicroscopyDict, to_gray, write_image
from custom.errors import UserError

SHAPE = (20, 31)


@pytest.fixture
def item(tmp_path: Path) -> dict:
    generator = np.random.default_rng(0)
    write_image(tmp_path / "image.png", generator.integers(0, 255, SHAPE, dtype=np.uint8))
    write_image(tmp_path / "label.png", generator.integers(0, 2, SHAPE, dtype=np.uint8) * np.uint8(255))
    return {"image": str(tmp_path / "image.png"), "label": str(tmp_path / "label.png")}


def _mask(item: dict, mask: np.ndarray) -> None:
    write_image(item["label"], mask)


def test_bare_pair_without_dataset_json(item: dict) -> None:
    from custom.data import read_image

    loaded = LoadMicroscopyd()(item)
    assert isinstance(loaded["image"], MetaTensor)
    assert (loaded["image"].dtype, tuple(loaded["image"].shape)) == (torch.float32, (1, *SHAPE))
    np.testing.assert_array_equal(loaded["image"][0].numpy(), to_gray(read_image(item["image"])))
    assert loaded["image"].meta["filename_or_obj"] == item["image"]
    assert tuple(loaded["image"].meta["spatial_shape"]) == SHAPE
    assert torch.equal(loaded["image"].affine, torch.eye(4, dtype=torch.float64))
    assert loaded["label"].dtype == torch.uint8
    np.testing.assert_array_equal(loaded["label"][0].numpy() * 255, read_image(item["label"]))
    assert "instance" not in loaded


@pytest.mark.parametrize("value", [1, 128, 255])
def test_two_valued_masks_become_0_and_1(item: dict, value: int) -> None:
    foreground = np.arange(np.prod(SHAPE)).reshape(SHAPE) % 3 == 0
    _mask(item, foreground.astype(np.uint8) * np.uint8(value))
    np.testing.assert_array_equal(LoadMicroscopyd()(item)["label"][0].numpy(), foreground)


def test_mask_of_one_class_keeps_its_meaning(item: dict) -> None:
    for value in (0, 255):
        _mask(item, np.full(SHAPE, value, np.uint8))
        assert (LoadMicroscopyd()(item)["label"] == (value > 0)).all()


def test_declared_values_are_class_indices_in_their_order(item: dict) -> None:
    mask = np.random.default_rng(1).choice(np.array([7, 3, 200, 99], np.uint8), SHAPE)
    _mask(item, mask)
    item["label_format"] = LabelFormat("classes", (200, 3, 7), ignore=99)
    label = LoadMicroscopyd()(item)["label"][0].numpy()
    for value, index in {200: 0, 3: 1, 7: 2, 99: 255}.items():
        np.testing.assert_array_equal(label == index, mask == value)


def test_instances(item: dict) -> None:
    mask = np.random.default_rng(2).choice(np.array([0, 1, 40000, 65535], np.uint16), SHAPE)
    _mask(item, mask)
    loaded = LoadMicroscopyd(label_format=LabelFormat("instances", ignore=65535))(item)
    assert loaded["instance"].dtype == torch.int32
    np.testing.assert_array_equal(loaded["instance"][0].numpy(), np.where(mask == 65535, -1, mask.astype(np.int32)))
    assert loaded["instance"].meta["filename_or_obj"] == item["label"]
    np.testing.assert_array_equal(loaded["label"][0].numpy(), np.where(mask == 65535, 255, mask > 0))


@pytest.mark.parametrize("label_format", [LabelFormat(), LabelFormat("classes", (0, 255))])
def test_unexpected_values_are_named(item: dict, label_format: LabelFormat) -> None:
    mask = np.zeros(SHAPE, np.uint8)
    mask[2, 3], mask[4, 5] = 17, 18
    _mask(item, mask)
    with pytest.raises(UserError, match=r"label\.png: unexpected mask values 17, 18"):
        LoadMicroscopyd(label_format=label_format)(item)


def test_another_shape_is_refused(item: dict) -> None:
    _mask(item, np.zeros(SHAPE[::-1], np.uint8))
    with pytest.raises(UserError, match=r"label\.png: the mask has 31 x 20 .* image\.png has 20 x 31"):
        LoadMicroscopyd()(item)


def test_page_of_a_stack(tmp_path: Path) -> None:
    import tifffile

    stack = np.random.default_rng(3).integers(0, 255, (3, *SHAPE), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "stack.tif", stack, photometric="minisblack")
    loaded = LoadMicroscopyd(keys="image")({"image": tmp_path / "stack.tif", "page": 2})
    np.testing.assert_array_equal(loaded["image"][0].numpy(), to_gray(stack[2]))
    assert loaded["image"].meta["page"] == 2


def test_image_alone_and_the_item_untouched(item: dict) -> None:
    before = dict(item)
    LoadMicroscopyd()(item)
    assert item == before
    loaded = LoadMicroscopyd()({"image": item["image"], "label": None})
    assert set(loaded) == {"image"}


def test_items_collate(item: dict) -> None:
    items = [{**item, "label_format": LabelFormat("classes", (0, 255))}] * 2
    batch = next(iter(DataLoader(Dataset(items, LoadMicroscopyd()), batch_size=2)))
    assert tuple(batch["image"].shape) == (2, 1, *SHAPE)
    assert set(batch) == {"image", "label"}


def test_keys_and_aliases() -> None:
    assert LoadMicroscopyD is LoadMicroscopyDict is LoadMicroscopyd
    with pytest.raises(UserError, match="keys"):
        LoadMicroscopyd(keys=("a", "b", "c"))
