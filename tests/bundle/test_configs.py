"""The configs meet the requirements of MONAI bundles, and duplicated values are consistent."""

from __future__ import annotations

import ast
import json
import os
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import torch
from monai.bundle import ConfigParser, ConfigWorkflow, ckpt_export, verify_metadata, verify_net_in_out

from tests.models import make_model

from .conftest import CONFIGS, ROOT

METADATA = ROOT / CONFIGS / "metadata.json"
EXPERIMENTS = sorted((ROOT / CONFIGS / "experiments").glob("*.json"))


def load(name: str) -> dict:
    return json.loads((ROOT / CONFIGS / name).read_text())


@pytest.fixture(autouse=True)
def from_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize(("config", "kind"), [("train.json", "train"), ("inference.json", "infer")])
def test_all_properties_are_there(config, kind):
    workflow = ConfigWorkflow(str(CONFIGS / config), meta_file=str(METADATA), logging_file=False, workflow_type=kind)
    workflow.initialize()
    assert workflow.check_properties() == []


@pytest.mark.parametrize("config", ["train.json", "inference.json"])
def test_the_network_takes_and_gives_what_the_metadata_say(config):
    verify_net_in_out(net_id="network_def", meta_file=str(METADATA), config_file=str(CONFIGS / config))


def test_metadata_follow_the_schema(tmp_path):
    reference = os.environ.get("UNET_REFERENCE")
    if not reference:
        pytest.skip("UNET_REFERENCE is not set: the schema is there")
    schema = tmp_path / "schema.json"
    schema.write_bytes((Path(reference) / "meta_schema_20240725.json").read_bytes())
    verify_metadata(meta_file=str(METADATA), filepath=str(schema))


def test_the_changelog_begins_with_the_version():
    metadata = load("metadata.json")
    assert next(iter(metadata["changelog"])) == metadata["version"]


def test_the_network_exports_to_torchscript(tmp_path):
    model = make_model(tmp_path / "model", depth=2)
    torch.save(model.state(), tmp_path / "model.pt")
    ckpt_export(
        net_id="network_def",
        filepath=str(tmp_path / "model.ts"),
        ckpt_file=str(tmp_path / "model.pt"),
        meta_file=str(METADATA),
        config_file=str(CONFIGS / "inference.json"),
        model=str(tmp_path / "model"),
    )
    image = torch.rand(1, 1, 44, 48)
    exported = torch.jit.load(tmp_path / "model.ts")
    torch.testing.assert_close(exported(image), model.network()(image), rtol=0, atol=1e-6)


def test_inference_is_that_of_the_training():
    train, inference = load("train.json"), load("inference.json")
    for key in ("network", "device", "bfloat16", "bundle_root"):
        assert train[key] == inference[key], key
    loading = train["train"]["load"]["_target_"]
    assert loading == inference["preprocessing"]["transforms"][0]["_target_"]
    assert train["validate"]["inferer"] == inference["inferer"]


def test_pinned_versions_agree_with_the_requirements():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if "==" in line and not line.startswith("#"))
    metadata = load("metadata.json")
    stated = {
        "monai": metadata["monai_version"],
        "torch": metadata["pytorch_version"],
        "numpy": metadata["numpy_version"],
        **metadata["required_packages_version"],
    }
    assert {name: pins.get(name) for name in stated} == stated


def test_metadata_name_all_packages_that_the_code_imports():
    metadata = load("metadata.json")
    trees = [ast.parse(file.read_text()) for file in (ROOT / "custom").rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    modules = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    modules |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level}
    tops = {module.split(".")[0] for module in modules} - sys.stdlib_module_names
    known = packages_distributions()
    stated = {"monai", "torch", "numpy", *metadata["required_packages_version"]}
    assert tops
    assert {top: known[top] for top in tops if stated.isdisjoint(map(str.lower, known[top]))} == {}


def test_every_config_defines_run():
    for name, run_id in (("train.json", "training"), ("evaluate.json", "evaluating"), ("inference.json", "inferring")):
        assert load(name)["run"] == f"%{run_id}"
        assert run_id in load(name)


OVERLAYS = [*EXPERIMENTS, *(ROOT / CONFIGS / "ablations").glob("*.json")]
NEW_IDS = {"experiment#published"}  # of the base config: dictionaries that overlays may add keys to


def most_lines(overlay: Path) -> int:
    return 15 if overlay.stem.startswith("best_") or overlay.stem == "compact" else 26


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.stem)
def test_an_experiment_is_a_few_lines_and_named_after_its_file(overlay):
    text = overlay.read_text()
    content = json.loads(text)
    assert content["name"] == overlay.stem
    assert text == json.dumps(content, indent=4) + "\n", "the formatter's layout, which the limit is for"
    assert len(text.splitlines()) <= most_lines(overlay)


@pytest.mark.parametrize("overlay", [*OVERLAYS, *(ROOT / CONFIGS / "budgets").glob("*.json")], ids=lambda p: p.stem)
def test_overlays_override_ids_that_are_there(overlay):
    base = ConfigParser(load("train.json"))
    for key in json.loads(overlay.read_text()):
        assert key in base or key.rpartition("#")[0] in NEW_IDS, f"{key} overrides nothing"


def test_train_json_is_the_experiment_of_the_paper():
    train = load("train.json")
    network = train["network_def"]
    assert (train["features"], network["features"]) == (64, "@features")
    assert (network["depth"], network["up"], network["init"]) == (4, "transposed", "he")
    assert (train["input_size"], train["batch_size"]) == (572, 1)
    optimizer = train["optimizers"]["sgd"]
    assert (train["optimizer"], train["lr_scheduler"]) == ("@optimizers#sgd", "@schedules#plateau")
    assert (optimizer["_target_"], optimizer["momentum"]) == ("torch.optim.SGD", 0.99)
    window, weight = train["train"]["window"], train["train"]["weight_map"]
    assert (window["grid_shape"], window["sigma"]) == ([3, 3], 10)
    assert (weight["w0"], weight["sigma"]) == (10, 5)
