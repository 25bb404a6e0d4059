"""Each experiment's overlay makes a training batch, a forward pass and a loss, and is what its source says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser

from custom.data.image_io import write_image
from custom.networks import ValidUNet
from scripts.overlays import with_base
from scripts.package_bundle.configs import find_experiment
from tests.models import make_model

from .conftest import CONFIGS, ROOT

OVERLAYS = sorted((ROOT / CONFIGS / "experiments").glob("*.json"))
TUDELFT = ["tudelft_keras", "tudelft_upsample_xavier", "tudelft_transpose_xavier", "tudelft_transpose_kaiming"]
BASELINES = ["baseline_unet", "baseline_basicunet", "baseline_dynunet"]
TRAINED = sorted([*(file.stem for file in OVERLAYS), *BASELINES])


def parser(name: str, dataset: Path, *more: str, **overrides: Any) -> ConfigParser:
    """The merged config of an experiment on another data set."""
    overlay = find_experiment(ROOT / CONFIGS, name)
    files = [ROOT / CONFIGS / "train.json", *with_base(overlay), *(ROOT / CONFIGS / file for file in more)]
    merged = ConfigParser()
    merged.read_config([str(file) for file in files])
    merged.update({"dataset_dir": str(dataset), "device": "$torch.device('cpu')", "bfloat16": False, **overrides})
    return merged


@pytest.mark.parametrize("name", TRAINED)
def test_a_batch_goes_through_network_and_loss(name, tiny_dataset):
    config = parser(name, tiny_dataset, batch_size=1, features=2)
    network, loss, optimizer, loader, output_size = (
        config.get_parsed_content(key) for key in ("network", "loss", "optimizer", "train#dataloader", "output_size")
    )
    batch = next(iter(loader))
    assert batch["label"].shape == batch["weight"].shape == (1, 1, output_size, output_size)
    assert torch.equal(batch["target"], torch.cat([batch["label"], batch["weight"]], dim=1))
    logits = network(batch["image"].as_tensor())
    assert 0 <= logits.shape[-1] - output_size <= 4
    value = loss(logits, batch["target"].as_tensor())
    value.backward()
    optimizer.step()
    assert 0 < value.item() < 100
    assert all(torch.isfinite(weight).all() for weight in network.parameters())


def test_a_batch_holds_windows_of_images_of_several_sizes(tmp_path):
    pairs = []
    for name, size in (("a", (96, 120)), ("b", (110, 100))):
        ids = np.zeros(size, np.uint8)
        ids[5:25, 5:35] = 7
        write_image(tmp_path / f"{name}.png", ids + size[1])
        write_image(tmp_path / f"{name}_ids.png", ids)
        pairs.append({"image": f"{name}.png", "label": f"{name}_ids.png"})
    content = {"name": "two", "label_kind": "instances", "labels": {"0": "background", ">0": "cell"}}
    (tmp_path / "dataset.json").write_text(json.dumps({**content, "training": pairs, "validation": []}))
    loader = parser("quick", tmp_path, input_size=188, features=2).get_parsed_content("train#dataloader")
    assert next(iter(loader))["image"].shape == (2, 1, 188, 188)


@pytest.mark.parametrize("name", TRAINED)
def test_validation_is_one_pass(name, tiny_dataset):
    assert parser(name, tiny_dataset, features=2).get_parsed_content("validate#inferer").orientations == 1


def test_evaluation_averages_the_orientations_of_the_model(tiny_dataset, tmp_path):
    make_model(tmp_path, orientations=8)
    for given, wanted in (({}, 8), ({"orientations": 7}, 7)):
        test = parser("best_em", tiny_dataset, "evaluate.json", model=str(tmp_path), **given)
        assert test.get_parsed_content("validate#inferer").orientations == wanted


@pytest.mark.parametrize("name", TUDELFT)
def test_tudelft_trains_on_240_unweighted_images_an_epoch(name, tiny_dataset):
    config = parser(name, tiny_dataset)
    assert config["steps_per_epoch"] * config["batch_size"] == 240
    assert (config["input_size"], config["learning_rate"], config["optimizers#sgd#momentum"]) == (700, 0.01, 0.99)
    assert (config["optimizer"], config["lr_scheduler"]) == ("@optimizers#sgd", "@schedules#plateau")
    schedule = config["schedules#plateau"]
    assert (schedule["factor"], schedule["patience"], schedule["min_lr"]) == (0.1, 10, 1e-5)
    weight = config.get_parsed_content("train#dataset")[0]["weight"]
    assert set(weight.unique().tolist()) == {1.0}


def test_the_networks_of_tudelft(tiny_dataset):
    networks = [parser(name, tiny_dataset)["network_def"] for name in TUDELFT]
    assert [(network["up"], network["init"]) for network in networks] == [
        ("upsample", "xavier_uniform"),
        ("upsample", "xavier_normal"),
        ("transposed", "xavier_normal"),
        ("transposed", "kaiming"),
    ]


@pytest.mark.parametrize("name", BASELINES)
def test_baselines_have_about_the_size_of_the_network_of_the_paper(name, tiny_dataset):
    baseline = parser(name, tiny_dataset).get_parsed_content("network_def")
    ours, theirs = (sum(weight.numel() for weight in net.parameters()) for net in (ValidUNet(), baseline))
    assert 0.8 * ours < theirs < 1.2 * ours


def test_what_overlays_have_to_repeat_is_equal():
    overlays = {file.stem: json.loads(file.read_text()) for file in OVERLAYS}
    about = {"name", "experiment#title", "experiment#published#pixel_error", "experiment#published#iou"}
    families = {
        ("best_u373", "best_hela"): {"dataset_dir", "scale", "train#gray_values"},
        tuple(TUDELFT[1:]): {"network_def#up", "network_def#init"},
        tuple(TUDELFT[:2]): {"network_def#init", "batch_size", "steps_per_epoch"}
        | {"early_stop#patience", "early_stop#min_delta"},
    }
    for names, own in families.items():
        shared = [{key: value for key, value in overlays[name].items() if key not in own | about} for name in names]
        assert all(overlay == shared[0] for overlay in shared), names
        assert shared[0]


@pytest.mark.parametrize("name", BASELINES)
def test_one_number_sets_the_width_of_every_network(name, tiny_dataset):
    counts = [
        sum(
            weight.numel()
            for weight in parser(name, tiny_dataset, features=n).get_parsed_content("network").parameters()
        )
        for n in (2, 4)
    ]
    assert 3 < counts[1] / counts[0] < 4


def test_a_preset_that_is_not_chosen_is_not_built(tiny_dataset):
    config = parser("best_em", tiny_dataset, features=2)
    config.update({"optimizers#sgd#lr": "$1 / 0", "schedules#plateau#factor": "$1 / 0"})
    schedule = config.get_parsed_content("lr_scheduler")
    assert type(schedule.optimizer) is torch.optim.AdamW
    assert schedule.optimizer is config.get_parsed_content("optimizer")
    assert (config.get_parsed_content("val_interval"), config.get_parsed_content("early_stop").patience) == (5, 200)
    paper = parser("paper_em", tiny_dataset, features=2)
    assert (paper.get_parsed_content("val_interval"), paper.get_parsed_content("early_stop").patience) == (1, 30)
