"""Training windows are cut from the images in memory, which are not copied for that and so must stay as they are."""

from __future__ import annotations

import copy

import pytest
import torch
from monai.bundle import ConfigParser

from .conftest import CONFIGS, TRAIN


@pytest.mark.parametrize("overlay", ["paper_em", "best_em", "best_hela", "best_u373"])
def test_windows_leave_the_images_as_they_are(overlay, tiny_dataset):
    parser = ConfigParser()
    parser.read_config([str(TRAIN), str(CONFIGS / "experiments" / f"{overlay}.json")])
    for name, value in {"dataset_dir": str(tiny_dataset), "features": 2, "input_size": 188}.items():
        parser[name] = value
    dataset = parser.get_parsed_content("train#dataset")
    cached = dataset._cache[0]
    before = copy.deepcopy(cached)
    windows = [dataset[0] for _ in range(4)]
    assert not torch.equal(windows[0]["image"], windows[1]["image"])
    assert dataset._cache[0] is cached
    assert cached.keys() == before.keys()
    for name in ("image", "label", "weight"):
        assert torch.equal(torch.as_tensor(cached[name]), torch.as_tensor(before[name]))
        assert str(cached[name].meta) == str(before[name].meta)
        assert cached[name].applied_operations == before[name].applied_operations
