"""Exported networks give the results of the network at every size, and files are written atomically."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from custom.data import to_gray
from custom.data.gray import PERCENTILES
from custom.errors import UserError
from custom.inferers.overlap_tile import OverlapTileInferer
from custom.model import write_model
from custom.networks import ValidUNet
from scripts.export import __main__ as export
from scripts.export import onnx, torchscript
from scripts.export.bioimageio import scale
from scripts.export.sizes import require_equal, sizes_of
from scripts.export.whole_image import WholeImage, whole_image_sizes
from tests.models import make_model

DEPTH, FEATURES = 2, 4
BIOIMAGEIO = Path(
    os.environ.get("BIOIMAGEIO_PYTHON", Path(__file__).parents[3] / ".venv-bioimageio" / "bin" / "python")
)
needs_onnx = pytest.mark.skipif(
    any(importlib.util.find_spec(package) is None for package in onnx.PACKAGES),
    reason="needs the packages of requirements-export.txt",
)


@pytest.fixture(scope="module")
def network() -> ValidUNet:
    torch.manual_seed(0)
    return ValidUNet(features=FEATURES, depth=DEPTH).eval()


@pytest.fixture(scope="module")
def model(network, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    write_model(folder, make_model(folder, features=FEATURES, depth=DEPTH), network.state_dict())
    return folder


def run(name: str, model: Path, output: Path, *more: str) -> int:
    return export.main([name, "--model", str(model), "--output", str(output), *more])


def images(network: ValidUNet, batch: int, rows: int, columns: int) -> torch.Tensor:
    first = network.next_admissible(1)
    return torch.rand(batch, 1, first + rows * network.divisor, first + columns * network.divisor)


SIZES = [(1, 0, 3), (3, 5, 0), (2, 9, 4)]


@torch.no_grad()
def test_torchscript_runs_without_the_project(network, model, tmp_path):
    assert run("torchscript", model, tmp_path / "unet.ts") == 0
    torch.save(images(network, 2, 1, 3), tmp_path / "images.pt")
    code = "import torch; torch.save(torch.jit.load('unet.ts')(torch.load('images.pt')), 'logits.pt')"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)
    torch.testing.assert_close(torch.load(tmp_path / "logits.pt"), network(torch.load(tmp_path / "images.pt")))
    with pytest.raises(torch.jit.Error, match="46 x 48 pixels: height and width have to be 44 or a multiple of 4 more"):
        torch.jit.load(tmp_path / "unet.ts")(torch.rand(1, 1, 46, 48))


@torch.no_grad()
def test_torch_export_takes_any_admissible_size(network, model, tmp_path):
    assert run("torch-export", model, tmp_path / "unet.pt2") == 0
    program = torch.export.load(tmp_path / "unet.pt2").module()
    for size in SIZES:
        x = images(network, *size)
        torch.testing.assert_close(program(x), network(x))
    for size in ((46, 48), (44, 49)):
        with pytest.raises(RuntimeError, match="height and width have to be 44 or a multiple of 4 more"):
            program(torch.rand(1, 1, *size))


@needs_onnx
@torch.no_grad()
def test_onnx_takes_any_batch_and_size(network, model, tmp_path):
    import onnxruntime

    assert run("onnx", model, tmp_path / "unet.onnx") == 0
    session = onnxruntime.InferenceSession(str(tmp_path / "unet.onnx"), providers=["CPUExecutionProvider"])
    assert [path.name for path in tmp_path.iterdir()] == ["unet.onnx"]  # no file of weights beside it
    rule = "height and width have to be 44 or a multiple of 4 more"
    assert session.get_modelmeta().custom_metadata_map["input_sizes"] == rule
    for size in SIZES:
        x = images(network, *size)
        np.testing.assert_allclose(session.run(None, {"image": x.numpy()})[0], network(x).numpy(), atol=1e-4)


@pytest.fixture(scope="module")
def package(model, tmp_path_factory) -> Path:
    if importlib.util.find_spec("onnxscript") is None:
        pytest.skip("needs the packages of requirements-export.txt")
    output = tmp_path_factory.mktemp("package") / "unet.zip"
    assert run("bioimageio", model, output, "--name", "Cells of a lab (2)") == 0
    return output


def read(package: Path, folder: Path) -> dict:
    zipfile.ZipFile(package).extractall(folder)
    return yaml.safe_load((folder / "rdf.yaml").read_text())


def test_package_lists_each_file_with_its_checksum(package, tmp_path):
    content = read(package, tmp_path)
    text = json.dumps(content)
    for file in tmp_path.iterdir():
        if file.name != "rdf.yaml":
            assert hashlib.sha256(file.read_bytes()).hexdigest() in text
    assert content["name"] == "Cells of a lab (2)"
    assert content["cite"][0]["doi"] == "10.1007/978-3-319-24574-4_28"
    assert content["authors"] == [{"name": "A. Author"}]
    assert "license" not in content  # the terms are not an SPDX identifier
    assert "Terms of the tiny data" in (tmp_path / "README.md").read_text()


def test_package_test_tensors_are_what_the_repository_answers(package, network, tmp_path):
    read(package, tmp_path)
    gray, expected = (np.load(tmp_path / name) for name in ("test_input.npy", "test_output.npy"))
    assert gray.shape[-2] != gray.shape[-1]
    logits = OverlapTileInferer(amp=False)(torch.from_numpy(scale(gray[0, 0], PERCENTILES))[None, None], network)
    np.testing.assert_allclose(logits.softmax(1).numpy(), expected, atol=1e-5)


def test_package_tiles_with_its_halo_have_no_seams(package, tmp_path):
    """As ilastik and others run it: a tile, less the declared halo, equals that part of the whole image's output."""
    content = read(package, tmp_path)
    axis = content["outputs"][0]["axes"][2]
    size = content["inputs"][0]["axes"][2]["size"]
    halo, step = axis["halo"], size["step"]
    assert size["min"] == 2 * halo + step  # of the smallest tile one step is left
    model = torch.jit.load(tmp_path / "weights.pt")
    image = torch.rand(1, 1, 5 * halo, 4 * halo)
    whole = model(image)
    top, left, height, width = halo + step, 2 * step, 2 * halo + 4 * step, 2 * halo + step
    tile = model(image[..., top : top + height, left : left + width])
    inner = whole[..., top + halo : top + height - halo, left + halo : left + width - halo]
    torch.testing.assert_close(tile[..., halo : height - halo, halo : width - halo], inner, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("top", [200, 60_000])
def test_scale_is_the_rule_of_training_where_percentiles_are_pixels(top):
    """Of 1,001 pixels the percentiles 0.1 and 99.9 are the second and the last but one, interpolated or not."""
    gray = np.random.default_rng(0).integers(0, top, (13, 77)).astype(np.float32)
    gray[0, :2] = -9 * top, 9 * top  # clipped
    np.testing.assert_allclose(scale(gray, PERCENTILES), to_gray(gray), atol=1e-6)


def run_bioimageio(code: str, *arguments: Path) -> list[str]:
    """Lines that the code prints in the environment of bioimageio.core."""
    if not BIOIMAGEIO.is_file():
        pytest.skip(f"no {BIOIMAGEIO}: set it up as requirements-bioimageio.txt says")
    done = subprocess.run(
        [BIOIMAGEIO, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        cwd=arguments[-1].parent,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.slow
def test_package_passes_the_zoos_own_test(package):
    code = "import sys; from bioimageio.core import test_model as t; s = t(sys.argv[1]); s.display(); print(s.status)"
    lines = run_bioimageio(code, package)
    assert lines[-1:] == ["passed"], lines


PREDICT = """
import sys, numpy as np
from bioimageio.core import predict
image = np.load(sys.argv[2])
found = predict(model=sys.argv[1], inputs={"image": image}, blocksize_parameter=2)
np.save(sys.argv[2], np.asarray(list(found.members.values())[0].data))
"""
PREDICT_AT_ONCE = """
import sys, numpy as np
from bioimageio.core import create_prediction_pipeline, load_model_description
from bioimageio.core.digest_spec import create_sample_for_model
model = load_model_description(sys.argv[1])
sample = create_sample_for_model(model, inputs={"image": np.load(sys.argv[2])})
with create_prediction_pipeline(model) as pipeline:
    found = pipeline.predict_sample_without_blocking(sample, skip_input_padding=True, skip_output_cropping=True)
np.save(sys.argv[2], np.asarray(list(found.members.values())[0].data))
"""


@pytest.mark.slow
@pytest.mark.parametrize("code", [PREDICT, PREDICT_AT_ONCE], ids=["in blocks", "at once"])
def test_package_answers_in_the_zoos_own_program_as_here(code, package, network, tmp_path):
    """At once without padding: bioimageio.core 0.11 would take the percentiles of the image that it has padded."""
    gray = np.random.default_rng(0).integers(0, 200, (1, 1, 120, 136)).astype(np.float32)
    np.save(tmp_path / "image.npy", gray)
    run_bioimageio(code, package, tmp_path / "image.npy")
    logits = OverlapTileInferer(amp=False)(torch.from_numpy(to_gray(gray[0, 0]))[None, None], network)
    np.testing.assert_allclose(np.load(tmp_path / "image.npy"), logits.softmax(1).numpy(), atol=1e-3)


def test_wrong_values_are_noticed(network, tmp_path):
    with pytest.raises(UserError, match="differs by"):
        require_equal(lambda x: network(x) + 1e-3, network, sizes_of(network), tmp_path / "unet.ts")


def test_sizes(network):
    assert (sizes_of(network).smallest, sizes_of(network).step) == (44, 4)
    assert whole_image_sizes(WholeImage(network)).rule == "height and width have to be 2 or more"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--model", "nowhere"], "model nowhere: no model.json there"),
        (["--min_size", "-1"], "--min_size -1: input should be greater than or equal to 0"),
        (["--name", "x"], "only a bioimageio package"),
    ],
)
def test_refusals(more, message, model, tmp_path, capsys):
    assert run("torchscript", model, tmp_path / "unet.ts", *more) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_target_that_exists_is_left_alone(model, tmp_path, capsys):
    (tmp_path / "unet.ts").write_text("mine")
    assert run("torchscript", model, tmp_path / "unet.ts") == 2
    assert "exists already" in capsys.readouterr().err
    assert (tmp_path / "unet.ts").read_text() == "mine"


def test_name_that_is_no_text(model, tmp_path, capsys):
    assert run("torchscript", model, tmp_path / "caf\udce9.ts") == 2
    assert "is not UTF-8" in capsys.readouterr().err


def test_suffix_of_another_format(model, tmp_path, capsys):
    assert run("torchscript", model, tmp_path / "unet.onnx") == 2
    assert "ends in .ts" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["onnx", "bioimageio"])
def test_missing_packages_are_named(name, model, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda package: None)
    assert run(name, model, tmp_path / f"unet{export.FORMATS[name].SUFFIX}") == 2
    error = capsys.readouterr().err
    assert "onnxscript" in error
    assert "pip install -r requirements-export.txt" in error
    assert not list(tmp_path.iterdir())


def test_nothing_is_left_of_an_export_that_fails(model, tmp_path, capsys, monkeypatch):
    def half(network, sizes, path, about):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torchscript, "write", half)
    assert run("torchscript", model, tmp_path / "unet.ts") == 2
    assert "No space left" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
