"""One graph from an image to its probabilities: equal to the inferer at every size, scale and orientation."""

from __future__ import annotations

import importlib.util
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from custom.inferers import OverlapTileInferer
from custom.model import read_model, write_model
from custom.networks import ValidUNet
from scripts.export import __main__ as export
from scripts.export import onnx
from scripts.export.whole_image import WholeImage
from tests.models import make_model

needs_onnx = pytest.mark.skipif(
    any(importlib.util.find_spec(package) is None for package in onnx.PACKAGES),
    reason="needs the packages of requirements-export.txt",
)
# 0.7 of 5 is a tie when sizes are rounded, which float32 decides otherwise.
SIZES = [(2, 31), (6, 46), (41, 27)]


def make_network(depth: int = 2, up: str = "transposed") -> ValidUNet:
    torch.manual_seed(1)
    return ValidUNet(features=2, depth=depth, up=up).eval()


def expected(network: ValidUNet, image: torch.Tensor, scale: float, orientations: int) -> torch.Tensor:
    return OverlapTileInferer(amp=False, scale=scale, orientations=orientations)(image, network).softmax(1)


@torch.no_grad()
@pytest.mark.parametrize("up", ["transposed", "upsample"])
@pytest.mark.parametrize(("scale", "orientations"), [(1.0, 1), (1.0, 7), (0.5, 1), (0.7, 8), (1.5, 7)])
@pytest.mark.parametrize("depth", [2, 3])
def test_answers_as_the_inferer_does(depth, scale, orientations, up):
    """Also for images far smaller than the margin, which are mirrored several times."""
    network = make_network(depth, up)
    for size in SIZES:
        image = torch.rand(2, 1, *size)
        found = WholeImage(network, scale, orientations)(image)
        torch.testing.assert_close(found, expected(network, image, scale, orientations), atol=1e-5, rtol=0)


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """Of a rescaled model that averages two kinds of orientations, with percentiles of its own."""
    folder = tmp_path_factory.mktemp("model")
    model = make_model(folder, features=2, depth=1)
    model.scale, model.orientations, model.gray_values.percentiles = 0.7, 7, (1.0, 98.0)
    write_model(folder, model, make_network(1).state_dict())
    return folder


@torch.no_grad()
def test_export_of_a_rescaled_model(model, tmp_path, capsys):
    line = ["torchscript", "--model", str(model), "--output", str(tmp_path / "unet.ts"), "--whole_image"]
    assert export.main(line) == 0
    assert "note" not in capsys.readouterr().out
    run = torch.jit.load(tmp_path / "unet.ts")
    for size in SIZES:
        image = torch.rand(1, 1, *size)
        torch.testing.assert_close(run(image), expected(make_network(1), image, 0.7, 7), atol=1e-4, rtol=0)
    with pytest.raises(torch.jit.Error, match="image of 1 x 9 pixels: height and width have to be 2 or more"):
        run(torch.rand(1, 1, 1, 9))


def test_export_of_the_network_alone_says_what_it_lacks(model, tmp_path, capsys):
    assert export.main(["torchscript", "--model", str(model), "--output", str(tmp_path / "unet.ts")]) == 0
    assert "scaled by 0.7; with --whole_image the file does that" in capsys.readouterr().out


@needs_onnx
@torch.no_grad()
def test_package_of_a_rescaled_model(model, tmp_path):
    line = ["bioimageio", "--model", str(model), "--output", str(tmp_path / "unet.zip")]
    assert export.main([*line, "--orientations", "1"]) == 0
    zipfile.ZipFile(tmp_path / "unet.zip").extractall(tmp_path)
    content = yaml.safe_load((tmp_path / "rdf.yaml").read_text())
    assert content["name"] == f"U-Net {read_model(model).name}"
    image = content["inputs"][0]
    assert image["preprocessing"][0]["kwargs"]["min_percentile"] == 1.0
    assert image["axes"][2]["size"] == {"min": 2, "step": 1}
    # Tiles of a rescaled image lie on other grids than the image, so that no halo makes them meet.
    assert "halo" not in content["outputs"][0]["axes"][2]
    assert "whole images, not tiles" in (tmp_path / "README.md").read_text()
    gray, output = (np.load(tmp_path / name) for name in ("test_input.npy", "test_output.npy"))
    low, high = np.percentile(gray, (1.0, 98.0))
    scaled = torch.from_numpy(((gray - low) / (high - low)).clip(0, 1).astype(np.float32))
    np.testing.assert_allclose(expected(make_network(1), scaled, 0.7, 1).numpy(), output, atol=1e-4)
    run = onnx._session(tmp_path / "weights.onnx")
    for size in SIZES:
        small = torch.rand(1, 1, *size)
        torch.testing.assert_close(run(small), expected(make_network(1), small, 0.7, 1), atol=1e-4, rtol=0)
