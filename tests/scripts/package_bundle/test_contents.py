"""Contents of a packaged bundle."""

from __future__ import annotations

import json
import shutil
import zipfile

import pytest
import torch

from custom.checksums import altered_files
from custom.model import Postprocessing, read_model
from custom.networks import ValidUNet
from scripts.overlays import FOLDERS
from scripts.package_bundle.__main__ import BUNDLE, package
from scripts.package_bundle.code import modules_in_use, names_in
from scripts.package_bundle.configs import packaged, read, renamed, training_config
from scripts.package_bundle.metadata import FROM_MODEL

from .making import NAME

OVERLAYS = sorted(file for folder in FOLDERS for file in (BUNDLE / "configs" / folder).glob("*.json"))


def test_the_bundle_has_what_a_bundle_needs(bundle):
    for name in (
        "LICENSE",
        "SHA256SUMS",
        "configs/evaluate.json",
        "configs/inference.json",
        "configs/logging.conf",
        "configs/metadata.json",
        "configs/multi_gpu_evaluate.json",
        "configs/multi_gpu_train.json",
        "configs/train.json",
        "docs/README.md",
        "docs/data_license.txt",
        "models/model.json",
        "models/model.pt",
        "models/model.ts",
        "models/weights.safetensors",
    ):
        assert (bundle / name).is_file(), name
    assert altered_files(bundle) == []
    assert not list(bundle.rglob("__pycache__"))
    named = {line.split("  ")[1] for line in (bundle / "SHA256SUMS").read_text().splitlines()}
    assert named == {str(f.relative_to(bundle)) for f in bundle.rglob("*") if f.is_file()} - {"SHA256SUMS"}


def test_an_altered_file_is_noticed(bundle, tmp_path):
    copy = tmp_path / NAME
    shutil.copytree(bundle, copy)
    with (copy / "models" / "model.pt").open("ab") as file:
        file.write(b"x")
    (copy / "LICENSE").unlink()
    assert altered_files(copy) == ["LICENSE", "models/model.pt"]


def test_nothing_in_it_says_custom(bundle):
    code = f"{NAME}_code"
    for file in (bundle / "configs").glob("*.json"):
        assert not names_in(file.read_text()), file
    for file in (bundle / code).rglob("*.py"):
        source = file.read_text()
        assert "import custom" not in source, file
        assert "from custom" not in source, file
    assert renamed({"a": ["$custom.data.x", "customer", 3]}, "b") == {"a": ["$b.data.x", "customer", 3]}


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda f: f.stem)
def test_every_experiment_can_be_packaged(overlay, inputs):
    configs = BUNDLE / "configs"
    model = inputs[1].model_copy(update={"scale": 0.7, "orientations": 7, "training": {"border_width": 5}}, deep=True)
    model.postprocessing = Postprocessing(method="watershed", sigma=1.5, height=3.0, grow=2)
    train = packaged(training_config(configs, model, overlay.stem), "other_code")
    inference = packaged(read(configs / "inference.json"), "other_code")
    assert train["name"] == overlay.stem
    assert (train["dataset_dir"], train["init_model"]) == ("$None", None)
    # Trained further, it is used as before.
    assert {"scale": 0.7, "test_orientations": 7, "border_width": 5, "contact": False}.items() <= train.items()
    assert {"method": "watershed", "sigma": 1.5, "height": 3.0, "grow": 2}.items() <= train.items()
    assert train["network_def"]["features"] == 4
    assert train["model_dir"] == inference["model"] == "$@bundle_root + '/models'"
    assert not names_in(json.dumps([train, inference]))


def test_only_code_in_use_is_taken(tmp_path):
    for name, source in {
        "__init__.py": "from . import a\n",
        "a.py": "def f():\n    from .b.c import g\n",
        "b/__init__.py": "",
        "b/c.py": "from ..d import e\n",
        "d.py": "e = 1\n",
        "unused.py": "from .d import e\n",
        "named.py": "",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(source)
    found = {str(file.relative_to(tmp_path)) for file in modules_in_use(tmp_path, {"named.Thing"})}
    assert found == {"__init__.py", "a.py", "b/__init__.py", "b/c.py", "d.py", "named.py"}


def test_the_weights_are_the_given_ones(bundle, inputs):
    network = inputs[1].network()
    flat = torch.load(bundle / "models" / "model.pt", weights_only=True)
    assert all(torch.equal(flat[name], value) for name, value in inputs[1].state().items())
    assert read_model(bundle / "models").model_dump() == inputs[1].model_dump()
    exported = torch.jit.load(bundle / "models" / "model.ts")
    image = torch.rand(1, 1, 60, 76)
    torch.testing.assert_close(exported(image), network(image), rtol=0, atol=1e-6)


def test_a_model_packaged_again_gives_the_same_files_but_for_the_time_in_torchscript(archive, inputs, tmp_path):
    again = package(inputs[1], NAME, tmp_path, str(inputs[0]))
    with zipfile.ZipFile(archive) as first, zipfile.ZipFile(again.with_name(f"{NAME}.zip")) as second:
        assert first.namelist() == second.namelist()
        differing = {name.partition("/")[2] for name in first.namelist() if first.read(name) != second.read(name)}
    assert differing <= {"models/model.ts", "SHA256SUMS"}


def test_the_metadata_describe_this_network(bundle):
    metadata = json.loads((bundle / "configs" / "metadata.json").read_text())
    data_format = metadata["network_data_format"]
    network = ValidUNet(features=4, depth=2)
    smallest = network.next_admissible(1)
    assert data_format["inputs"]["image"]["spatial_shape"] == [f"4*n+{smallest}"] * 2
    assert data_format["outputs"]["pred"]["spatial_shape"] == [f"4*n+{network.output_size(smallest)}"] * 2
    assert next(iter(metadata["changelog"])) == metadata["version"]
    card = (bundle / "docs" / "README.md").read_text()
    assert NAME in card
    assert metadata["version"] in card
    assert "$" not in card


def test_a_bundle_says_what_the_model_says_of_itself(bundle, inputs):
    model = inputs[1]
    metadata = read(bundle / "configs" / "metadata.json")
    assert {key: metadata[key] for key in FROM_MODEL} == {key: getattr(model, key) for key in FROM_MODEL}
    texts = [(bundle / "docs" / name).read_text() for name in ("README.md", "data_license.txt")]
    assert f"Weights: {model.license}. Authors: {model.authors}." in texts[0]
    for text in texts:
        assert model.license in text
        assert model.data_source in text
        assert model.references[0] in text
        assert "ISBI" not in text
