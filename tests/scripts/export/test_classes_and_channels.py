"""Exports of a model of two channels and three classes: the network's own values, and both named in the file."""

from __future__ import annotations

import importlib.util
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from custom import Segmentation, Segmenter
from custom.data import write_channels
from custom.model import GrayValues, Model, Postprocessing, write_model
from scripts.export import __main__ as export
from scripts.export import onnx
from scripts.export.about import ABOUT, about
from tests.models import THREE_CLASSES, TWO_CHANNELS, make_contact_model, make_three_class_model

SIZE = (46, 62)
GRAY_VALUES = [GrayValues(percentiles=(1.0, 99.0), contrast=0.5), GrayValues(percentiles=(2.0, 98.0))]
needs_onnx = pytest.mark.skipif(
    any(importlib.util.find_spec(package) is None for package in onnx.PACKAGES),
    reason="needs the packages of requirements-export.txt",
)


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Model:
    return make_three_class_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def described(model, tmp_path_factory) -> Model:
    known = {
        "gray_values": GRAY_VALUES,
        "pixel_size": 0.25,
        "scale": 0.75,
        "orientations": 8,
        "postprocessing": Postprocessing(method="watershed", threshold=0.3, min_size=7),
    }
    return write_model(tmp_path_factory.mktemp("described"), model.model_copy(update=known), model.state())


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (2, *SIZE)).astype(np.uint8) // np.uint8([[[1]], [[3]]])


def run(name: str, model: Model, output: Path, *more: str) -> int:
    return export.main([name, "--model", str(model.folder), "--output", str(output), *more])


def expected(model: Model, pixels: np.ndarray) -> np.ndarray:
    segment = Segmenter(model, device="cpu")
    segment.inferer.amp = False
    found = segment(np.moveaxis(pixels, 0, -1))
    assert isinstance(found, Segmentation)
    return found.probability


def check_about(found: dict, model: Model, whole_image: bool) -> None:
    assert found["channels"] == TWO_CHANNELS
    assert dict(zip(found["classes"], found["mask_values"], strict=True)) == THREE_CLASSES
    assert [GrayValues(**rule) for rule in found["gray_values"]] == GRAY_VALUES
    assert Postprocessing(**found["postprocessing"]) == model.postprocessing
    assert found["pixel_size"] == 0.25
    assert (found["scale"], found["orientations"]) == ((1, 1) if whole_image else (0.75, 8))


def test_contact_has_the_mask_value_of_the_cells(tmp_path):
    found = {name: json.loads(text) for name, text in about(make_contact_model(tmp_path), whole_image=False).items()}
    assert dict(zip(found["classes"], found["mask_values"], strict=True)) == {
        "background": 0,
        "cell": 255,
        "contact": 255,
    }


@torch.no_grad()
def test_torchscript(described, pixels, tmp_path):
    assert run("torchscript", described, tmp_path / "unet.ts", "--whole_image") == 0
    files = {ABOUT: ""}
    network = torch.jit.load(str(tmp_path / "unet.ts"), _extra_files=files)
    check_about(json.loads(files[ABOUT]), described, whole_image=True)
    planes = torch.from_numpy(described.gray_rule().planes(np.moveaxis(pixels, 0, -1)))[None]
    np.testing.assert_allclose(network(planes)[0], expected(described, pixels), atol=1e-5)
    assert not np.allclose(network(planes.flip(1))[0], expected(described, pixels), atol=1e-2)


@torch.no_grad()
def test_torch_export(described, tmp_path):
    assert run("torch-export", described, tmp_path / "unet.pt2") == 0
    files = {ABOUT: ""}
    torch.export.load(tmp_path / "unet.pt2", extra_files=files)
    check_about(json.loads(files[ABOUT]), described, whole_image=False)


@needs_onnx
def test_onnx(described, pixels, tmp_path):
    import onnxruntime

    assert run("onnx", described, tmp_path / "unet.onnx", "--whole_image") == 0
    session = onnxruntime.InferenceSession(tmp_path / "unet.onnx", providers=["CPUExecutionProvider"])
    metadata = session.get_modelmeta().custom_metadata_map
    about_model = {name: json.loads(text) for name, text in metadata.items() if name != "input_sizes"}
    check_about(about_model, described, whole_image=True)
    planes = described.gray_rule().planes(np.moveaxis(pixels, 0, -1))[None]
    np.testing.assert_allclose(session.run(None, {"image": planes})[0][0], expected(described, pixels), atol=1e-5)


@needs_onnx
@pytest.mark.parametrize("drawn", [True, False])
def test_bioimageio(model, pixels, tmp_path, drawn):
    write_channels(tmp_path / "image.tif", np.tile(pixels, (1, 2, 2)), TWO_CHANNELS)
    more = () if drawn else ("--image", str(tmp_path / "image.tif"))
    assert run("bioimageio", model, tmp_path / "unet.zip", *more) == 0
    zipfile.ZipFile(tmp_path / "unet.zip").extractall(tmp_path)
    content = yaml.safe_load((tmp_path / "rdf.yaml").read_text())
    assert content["inputs"][0]["axes"][1]["channel_names"] == TWO_CHANNELS
    assert content["outputs"][0]["axes"][1]["channel_names"] == list(THREE_CLASSES)
    planes, answer = (np.load(tmp_path / f"test_{name}.npy")[0] for name in ("input", "output"))
    assert (len(planes), len(answer)) == (2, 3)
    low, high = np.percentile(planes, (0.1, 99.9), axis=(1, 2), keepdims=True)
    scaled = ((planes - low) / (high - low + 1e-6)).clip(0, 1).astype(np.float32)
    network = torch.jit.load(tmp_path / "weights.pt")
    with torch.no_grad():
        np.testing.assert_allclose(network(torch.from_numpy(scaled)[None])[0], answer, atol=1e-5)
    text = (tmp_path / "README.md").read_text()
    assert "2 channels (DNA, actin µ)" in text
    assert "take the likeliest class of each pixel" in text


def test_other_channels_are_refused_in_one_line(model, tmp_path, capsys, pixels):
    write_channels(tmp_path / "one.tif", pixels[:1], "a")
    assert run("bioimageio", model, tmp_path / "unet.zip", "--image", str(tmp_path / "one.tif")) == 2
    assert "one.tif: has 1 channel, 2 are wanted (DNA, actin µ)" in capsys.readouterr().err
    assert model.folder is not None
    mixed = model.model_copy(update={"gray_values": [GrayValues(), GrayValues(percentiles=(1.0, 99.0))]})
    write_model(tmp_path / "mixed", mixed, model.state())
    assert run("bioimageio", mixed.model_copy(update={"folder": tmp_path / "mixed"}), tmp_path / "unet.zip") == 2
    assert "scales its channels by different percentiles" in capsys.readouterr().err
