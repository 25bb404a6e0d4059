"""Settings of a training and of a model reach every part of the configuration that they are for."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from monai.bundle import ConfigParser

from custom.data.scale import anti_alias
from custom.model import GrayValues, Postprocessing
from custom.transforms.sampling import Warp, resample
from tests.models import make_model

from .conftest import CONFIGS, TRAIN

UPRIGHT = {"rotate_range": 0.0, "flip_prob": 0.0, "sigma": 0.0, "center": "image"}


def parse(dataset: Path, *overlays: str, **settings: Any) -> ConfigParser:
    parser = ConfigParser()
    parser.read_config([str(TRAIN), *(str(CONFIGS / overlay) for overlay in overlays)])
    for name, value in {"dataset_dir": str(dataset), "features": 2, **settings}.items():
        parser[name] = value
    return parser


@pytest.mark.parametrize("scale", [0.5, 1.0])
def test_a_window_is_blurred_for_its_scale_and_sampled_once(tiny_dataset, scale):
    parser = parse(tiny_dataset, scale=scale, input_size=188)
    for name, value in UPRIGHT.items():
        parser[f"train#window#{name}"] = value
    parser["train#gray_values"] = []
    item = parser.get_parsed_content("data").training[0]
    image = np.asarray(parser.get_parsed_content("train#load")(item)["image"])
    window = np.asarray(parser.get_parsed_content("train#dataset")[0]["image"])
    rows, columns = ((n - 188) // 2 + 187 / 2 + (np.arange(188) - 187 / 2) / scale for n in image.shape[1:])
    zero, one = np.zeros(188), np.ones(188)
    upright = Warp(np.stack([rows, one], axis=1), np.stack([np.stack([one, zero]), np.stack([zero, columns])]))
    np.testing.assert_allclose(window, resample(anti_alias(image, scale), upright, "cubic"), atol=1e-6)


def test_border_and_weights_are_as_wide_as_the_network_sees_them(tiny_dataset):
    parser = parse(tiny_dataset, scale=0.5, border_width=5)
    assert parser.get_parsed_content("train#classes").convert.border_width == 9  # 4 pixels of the network apart
    weight_map = parser.get_parsed_content("train#weight_map").weight_map
    assert (weight_map.sigma, weight_map.scale) == (5, 0.5)


def test_a_lower_validation_loss_is_better(tiny_dataset):
    score = parse(tiny_dataset).get_parsed_content("early_stop").score_function
    low, high = (SimpleNamespace(state=SimpleNamespace(metrics={"val_loss": loss})) for loss in (0.2, 0.3))
    assert score(low) > score(high)


def test_an_evaluation_uses_the_model_as_its_file_says(tiny_dataset, tmp_path):
    post = Postprocessing(method="watershed", threshold=0.3, sigma=1.5, height=3.0, min_size=9, grow=2)
    make_model(
        tmp_path,
        scale=0.7,
        orientations=7,
        gray_values=GrayValues(percentiles=(5, 95)),
        postprocessing=post,
        training={"border_width": 7},
    )
    parser = parse(tiny_dataset, "evaluate.json", model=str(tmp_path))
    assert parser.get_parsed_content("train#load").gray_rule.percentiles == (5, 95)
    assert parser.get_parsed_content("border_width") == 7
    inferer = parser.get_parsed_content("validate#inferer")
    assert (inferer.scale, inferer.orientations) == (0.7, 7)
    assert parser.get_parsed_content("validate#additional_metrics#iou").metric_fn.threshold == 0.3
    names = ("method", "threshold", "sigma", "height", "min_size", "grow")
    assert {name: parser.get_parsed_content(name) for name in names} == post.model_dump(exclude={"fitted_on"})


def test_an_evaluation_weighs_pixels_as_the_training_did(tiny_dataset, tmp_path):
    weighing = {"w0": 4, "sigma": 3, "border_everywhere": True}
    changes = {f"train#weight_map#{name}": value for name, value in weighing.items()}
    trained = parse(tiny_dataset, **changes).get_parsed_content("model_saver").model
    assert trained.training.items() >= weighing.items()
    for training, expected in ((trained.training, weighing), ({}, {"w0": 10, "sigma": 5, "border_everywhere": False})):
        make_model(tmp_path, training=training)
        parser = parse(tiny_dataset, "evaluate.json", model=str(tmp_path))
        weight_map = parser.get_parsed_content("train#weight_map").weight_map
        assert {name: getattr(weight_map, name) for name in weighing} == expected


def test_scores_of_a_training_are_of_the_orientations_that_it_validates_with(tiny_dataset):
    parser = parse(tiny_dataset, orientations=8, test_orientations=7)
    saver = parser.get_parsed_content("model_saver")
    assert saver.orientations == parser.get_parsed_content("validate#inferer").orientations == 8
    assert saver.model.orientations == 7
