"""A package of every shipped model can be trained on what its card and MONAI Label's annotators give."""

from __future__ import annotations

import json

import numpy as np
import pytest
from monai.bundle import ConfigParser
from PIL import Image

from custom.data.datalist import Datalist, read_dataset
from custom.evaluation import require_measure
from custom.model import models_folder, read_model
from scripts.package_bundle.__main__ import BUNDLE
from scripts.package_bundle.configs import training_config
from scripts.package_bundle.metadata import label_text

NAMES = sorted(folder.name for folder in models_folder().iterdir())


@pytest.fixture(params=NAMES)
def parser(request) -> ConfigParser:
    model = read_model(request.param)
    config = training_config(BUNDLE / "configs", model, model.training["experiment"])
    return ConfigParser({**config, "trained": model})


def check(parser: ConfigParser) -> Datalist:
    """The data of the training, for which its measure of the best weights must be one that can be computed."""
    data = parser.get_parsed_content("data")
    require_measure(parser.get_parsed_content("best_by"), parser.get_parsed_content("method"), data)
    return data


def test_pairs_of_image_and_label(parser):
    parser["train"]["dataset"]["data"] = parser["validate"]["dataset"]["data"] = [{"image": "a.png", "label": "b.png"}]
    assert check(parser).label_format.kind == "classes"


def test_a_data_set_as_on_the_card(parser, tmp_path):
    pairs = [{"image": f"{name}.png", "label": f"{name}_mask.png"} for name in "ab"]
    for seed, pair in enumerate(pairs):
        for file in pair.values():
            Image.fromarray(255 * np.eye(4, 6, k=seed, dtype=np.uint8)).save(tmp_path / file)
    text = label_text(parser["trained"], parser.config)
    lists = json.dumps({"training": pairs[:1], "validation": pairs[1:]})
    (tmp_path / "dataset.json").write_text(f'{{"name": "mine", {text}, {lists[1:]}')
    parser["dataset_dir"] = str(tmp_path)
    assert check(parser).label_format == read_dataset(tmp_path).label_format
    assert parser.get_parsed_content("best_by") == {"em": "v_rand"}.get(parser["trained"].name, "seg")
