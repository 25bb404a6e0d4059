"""Large images are segmented as small ones are, in the memory of the image itself."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import numpy as np
import psutil
import pytest
import tifffile
import torch
from monai.bundle import ConfigParser
from PIL import Image
from scipy import ndimage

from custom.blockwise import large_images, results
from custom.data import image_io
from custom.errors import UserError
from custom.model import write_model
from custom.networks import ValidUNet
from tests.models import make_model, make_three_class_model

from .test_components import assert_same_cells

ROOT = Path(__file__).parents[2]
SHAPE = (90, 131)


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(3)
    network = ValidUNet(features=4, depth=1).eval()
    with torch.no_grad():
        network.classify.weight *= 20
    write_model(folder, make_model(folder, features=4, depth=1), network.state_dict())
    return folder


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    pixels = ndimage.gaussian_filter(np.random.default_rng(0).random((*SHAPE, 3)), (2, 2, 0))
    pixels = (2**16 * (pixels - pixels.min()) / np.ptp(pixels)).clip(0, 2**16 - 1).astype(np.uint16)
    tifffile.imwrite(folder / "gray.tif", pixels[..., 0])
    Image.fromarray((pixels >> 8).astype(np.uint8)).save(folder / "colour.png")
    tifffile.imwrite(folder / "stack.tif", np.moveaxis(pixels, -1, 0), photometric="minisblack")
    Image.fromarray((pixels[:9, :9, 0] >> 8).astype(np.uint8)).save(folder / "small.png")
    return folder


def infer(model: Path, images: Path, output: Path, save: list[str], **more: object) -> list[str]:
    """Run the bundle's inference; returns the names of the images that were segmented in blocks."""
    parser = ConfigParser(ConfigParser.load_config_file(ROOT / "bundle" / "configs" / "inference.json"))
    given = {"model": str(model), "dataset_dir": str(images), "output_dir": str(output), "save": save, **more}
    for name, value in {**given, "bfloat16": False}.items():
        parser[name] = value
    large = parser.get_parsed_content("large")
    large.run()
    if len(parser.get_parsed_content("dataset")):
        parser.get_parsed_content("evaluator").run()
    return sorted(Path(item["image"]).name for item in large.items)


@pytest.mark.parametrize("method", ["components", "watershed"])
def test_answers_are_those_of_the_usual_run(method, model, images, tmp_path, monkeypatch):
    save = ["mask", "probability", "instance"]
    options = {"method": method, "min_size": 4, "height": 1.0, "scale": 0.8}
    assert infer(model, images, tmp_path / "usual", save, **options) == []
    for name, value in {"LARGE": 1000, "BLOCK": 48, "BAND": 500}.items():
        monkeypatch.setattr(large_images, name, value)
    monkeypatch.setattr(results, "TILE", 16)
    large = ["colour.png", "gray.tif", "stack.tif", "stack.tif", "stack.tif"]
    assert infer(model, images, tmp_path / "blocks", save, **options) == large
    assert_same_files(tmp_path)


@pytest.mark.parametrize("pages", [1, 2])
def test_several_channels_and_classes(pages, tmp_path, monkeypatch):
    """Names of the classes and the identifier of the content are in the files, too; one that may become large has
    offsets of 64 bits."""
    model = make_three_class_model(tmp_path / "model")
    pixels = ndimage.gaussian_filter(np.random.default_rng(1).random((pages, 2, *SHAPE)), (0, 0, 2, 2)) ** 3
    (tmp_path / "images").mkdir()
    axes = {"axes": "ZCYX", "Channel": {"Name": model.channels}}
    tifffile.imwrite(tmp_path / "images" / "cells.ome.tif", pixels, ome=True, metadata=axes)
    monkeypatch.setattr(image_io, "LARGEST_TIFF", 3 * pages * SHAPE[0] * SHAPE[1] * 4 - 1)  # bytes of probabilities
    save = ["mask", "probability", "instance"]
    options = {"mask_format": ".tif", "scale": 0.8}
    assert infer(model.folder, tmp_path / "images", tmp_path / "usual", save, **options) == []
    for name, value in {"LARGE": 1000, "BLOCK": 48, "BAND": 500}.items():
        monkeypatch.setattr(large_images, name, value)
    monkeypatch.setattr(results, "TILE", 16)
    found = infer(model.folder, tmp_path / "images", tmp_path / "blocks", save, **options)
    assert found == ["cells.ome.tif"] * pages
    assert_same_files(tmp_path)
    for key in ("masks", "probabilities"):
        with tifffile.TiffFile(next((tmp_path / "blocks" / key).iterdir())) as file:
            shape = (*((pages,) if pages > 1 else ()), *((3,) if key == "probabilities" else ()), *SHAPE)
            assert file.series[0].shape == shape
            assert file.is_bigtiff == (key == "probabilities")
            assert key == "masks" or all(f'Name="{part.name}"' in file.ome_metadata for part in model.classes)


def assert_same_files(folder: Path) -> None:
    """The files below `folder/blocks` are those below `folder/usual`."""
    files, other = (
        sorted(file.relative_to(folder / kind) for file in (folder / kind).rglob("*.*")) for kind in ("usual", "blocks")
    )
    assert files == other
    for file in files:
        read = tifffile.imread if file.suffix == ".tif" else lambda path: np.asarray(Image.open(path))
        one, other = (read(folder / kind / file) for kind in ("blocks", "usual"))
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
        if file.parts[0] == "probabilities":
            np.testing.assert_allclose(one, other, atol=1e-5)
        elif file.parts[0] == "instances":
            for page, expected in zip(
                one.reshape(-1, *one.shape[-2:]), other.reshape(-1, *one.shape[-2:]), strict=True
            ):
                assert_same_cells(page, expected)
        else:
            np.testing.assert_array_equal(one, other)
    assert not list(folder.rglob(".large-*"))


def test_a_watershed_that_does_not_fit(model, images, tmp_path, monkeypatch):
    monkeypatch.setattr(large_images, "LARGE", 1000)
    memory = namedtuple("memory", "available")
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory(10**6))
    with pytest.raises(UserError, match="a watershed of 90 x 131 pixels needs .* choose --method components"):
        infer(model, images, tmp_path / "out", ["instance"], method="watershed")


MEASURE = """
import json, resource, sys
import numpy as np, torch
from monai.bundle import ConfigParser
parser = ConfigParser(ConfigParser.load_config_file("bundle/configs/inference.json"))
for name, value in json.loads(sys.argv[1]).items():
    parser[name] = value
parser.get_parsed_content("evaluator")
before = int(next(l for l in open("/proc/self/status") if l.startswith("VmRSS")).split()[1])
parser.get_parsed_content("large").run()
peak = int(next(l for l in open("/proc/self/status") if l.startswith("VmHWM")).split()[1])
print(json.dumps([before // 1024, peak // 1024]))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_20_000_pixels_a_side_stay_below_2_gigabytes(model, tmp_path):
    tile = np.random.default_rng(0).integers(0, 255, (1000, 1000), np.uint8)
    tifffile.imwrite(tmp_path / "huge.tif", np.tile(tile, (20, 20)), compression="zlib", tile=(1024, 1024))
    options = {"model": str(model), "dataset_dir": str(tmp_path), "output_dir": str(tmp_path / "out")}
    line = [sys.executable, "-c", MEASURE, json.dumps(options)]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    print(done.stdout)
    assert json.loads(done.stdout.splitlines()[-1])[1] < 2e9 / 2**20
