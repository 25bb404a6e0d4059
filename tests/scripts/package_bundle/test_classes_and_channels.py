"""A packaged model of two channels and three classes: it names both, and segments as here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from monai.bundle import ConfigParser

from custom import Segmentation, Segmenter
from custom.data import make_synthetic, read_dataset, read_image, read_mask
from custom.data.leaks import content_of
from custom.data.synthetic_cells import CHANNELS, LABELS
from custom.describe import data_format
from custom.model import ClassInfo, Model, read_model
from custom.networks import build_network
from custom.trained_images import RECORD
from scripts.package_bundle.__main__ import BUNDLE, package
from scripts.package_bundle.configs import training_config
from tests.models import make_model

from .making import OVERLAY, alone

NAME = "unet_tiny_cells"
NETWORK = {"_target_": "ValidUNet", "features": 4, "depth": 2, "in_channels": 2, "out_channels": 3}


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Model:
    torch.manual_seed(0)
    names = tuple(LABELS.values())
    return make_model(
        tmp_path_factory.mktemp("model"),
        network_def=NETWORK,
        network_data_format=data_format(build_network(NETWORK, "test"), names, CHANNELS),
        classes=[ClassInfo(name=name, value=int(value)) for value, name in LABELS.items()],
        channels=list(CHANNELS),
    )


@pytest.fixture(scope="module")
def bundle(model, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    (folder / "tiny.json").write_text(json.dumps(OVERLAY))
    return package(model, NAME, folder, str(folder / "tiny.json"))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "cells"
    counts = {"training": 2, "validation": 1, "test": 1}
    return make_synthetic(folder, seed=2, size=(70, 90), counts=counts, kind="cells")


def test_metadata_and_card_name_channels_and_classes(bundle):
    metadata = json.loads((bundle / "configs" / "metadata.json").read_text())
    assert metadata["image_classes"] == "2 channels (DNA, tubulin), gray values mapped to [0, 1]"
    assert metadata["pred_classes"] == "one channel: 0 background, 1 cytoplasm, 2 nucleus"
    inputs, outputs = (metadata["network_data_format"][key] for key in ("inputs", "outputs"))
    assert inputs["image"]["num_channels"] == 2
    assert outputs["pred"]["channel_def"] == {"0": "background", "1": "cytoplasm", "2": "nucleus"}
    assert "channel 2 is nucleus" in (bundle / "docs" / "README.md").read_text()


def test_it_segments_and_trains_alone(bundle, model, dataset, tmp_path):
    """Trained on items without a format, as MONAI Label gives them: labels are class indices."""
    (item,) = read_dataset(dataset).test
    alone(
        f"""
import monai.bundle
config = {str(bundle / "configs")!r}
monai.bundle.run(run_id="inferring", config_file=config + "/inference.json", bfloat16=False,
                 dataset_dir={str(dataset / "test" / "image")!r}, output_dir="segmented")
import sys
import numpy as np
sys.path.insert(0, {str(bundle)!r})
from {NAME}_code import Segmenter
segment = Segmenter({str(bundle / "models")!r}, device="cpu")
segment.inferer.amp = False
np.save("mask.npy", segment({item["image"]!r}).mask)
item = {{"image": {str(dataset / "training" / "image" / "00.ome.tif")!r}, "label": "indices.png"}}
from PIL import Image
label = np.asarray(Image.open({str(dataset / "training" / "label" / "00.png")!r}))
Image.fromarray(label // 100).save("indices.png")
monai.bundle.run(run_id="training", config_file=config + "/train.json", max_epochs=1, output_dir="run",
                 init_model=config + "/../models", model_dir="trained", flat_weights=None,
                 **{{"train#dataset#data": [item], "validate#dataset#data": [item]}})
""",
        cwd=tmp_path,
    )
    segment = Segmenter(model, device="cpu")
    segment.inferer.amp = False
    found = segment(item["image"])
    assert isinstance(found, Segmentation)
    (written,) = (tmp_path / "segmented" / "masks").iterdir()
    assert (read_mask(written) == found.mask).mean() > 0.999
    assert (np.load(tmp_path / "mask.npy") == found.mask).mean() > 0.999
    trained = read_model(tmp_path / "trained")
    for key in ("name", "classes", "channels", "gray_values", "license", "postprocessing", "network_def"):
        expected = getattr(model, key)
        if key != "postprocessing":
            assert getattr(trained, key) == expected
        else:
            assert trained.postprocessing.model_copy(update={"fitted_on": None}) == expected
    assert trained.data_source == f"{model.data_source}; annotations made with MONAI Label"


def test_images_are_recorded_as_the_annotators_server_was_told_to_read_them(model, tmp_path):
    """Two of three pages, which are channels, in an order of their own."""
    (tmp_path / "tiny.json").write_text(json.dumps(OVERLAY))
    file = tmp_path / "pages.tif"
    planes = np.random.default_rng(0).integers(0, 255, (3, 70, 90), np.uint8)
    tifffile.imwrite(file, planes, photometric="minisblack", metadata=None)
    pair = {"image": str(file), "label": "label.png", "channel": [2, 0], "axes": "CYX"}
    config = training_config(BUNDLE / "configs", model, str(tmp_path / "tiny.json"))
    parser = ConfigParser({**config, "trained": model})
    parser["train"]["dataset"]["data"] = [pair]
    content = content_of(read_image(file, channel=(2, 0), axes="CYX"))
    assert content is not None
    (recorded,) = parser.get_parsed_content("model_saver#model").training[RECORD]
    assert content.startswith(recorded)


def test_a_final_training_takes_the_images_for_validation_too(bundle):
    parser = ConfigParser(json.loads((bundle / "configs" / "train.json").read_text()))
    assert "data_for" in parser.get("listed")
    assert "@train_on_all" in parser.get("data")


def test_a_training_without_images_says_what_is_missing(bundle, tmp_path):
    line = [
        sys.executable,
        "-m",
        "monai.bundle",
        "run",
        "training",
        "--config_file",
        str(bundle / "configs/train.json"),
    ]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: --dataset_dir is needed: the bundle holds no images")
