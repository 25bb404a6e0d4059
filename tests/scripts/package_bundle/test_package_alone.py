"""A packaged bundle works without the repository, gives the same results, and passes the model zoo's checks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import monai.bundle
import numpy as np
import pytest
import torch

from custom.data import read_image
from custom.networks import ValidUNet
from scripts.package_bundle.__main__ import BUNDLE

from .making import NAME, alone


def test_predictions_are_those_of_the_repository_bit_for_bit(bundle, images, inputs, tmp_path):
    """Both in processes of their own with one thread: another number of threads may round another way."""
    source = images / "training" / "image"
    theirs = alone(
        f"""
import monai.bundle
monai.bundle.run(run_id="inferring", config_file={str(bundle / "configs/inference.json")!r},
                 dataset_dir={str(source)!r}, output_dir="packaged", save=["mask", "probability"])
import sys
print("custom" in sys.modules)
""",
        cwd=tmp_path,
    )
    assert theirs.splitlines()[-1] == "False"
    alone(
        f"""
import monai.bundle
monai.bundle.run(run_id="inferring", config_file="bundle/configs/inference.json", dataset_dir={str(source)!r},
                 output_dir={str(tmp_path / "own")!r}, save=["mask", "probability"], model={str(inputs[1].folder)!r})
""",
        cwd=BUNDLE.parent,
        bundle=BUNDLE.parent,
    )
    files = sorted(file.relative_to(tmp_path / "own") for file in (tmp_path / "own").rglob("*.*"))
    assert len(files) == 10
    for file in files:
        own, packaged = read_image(tmp_path / "own" / file), read_image(tmp_path / "packaged" / file)
        assert own.shape == (70, 90)
        np.testing.assert_array_equal(packaged, own)


def test_it_passes_what_the_model_zoo_checks(bundle, tmp_path):
    schema = Path(os.environ.get("UNET_REFERENCE", "none")) / "meta_schema_20240725.json"
    output = alone(
        f"""
import json, os
from monai.bundle import ckpt_export, create_workflow, load, verify_metadata, verify_net_in_out
root = {str(bundle)!r}
meta, config = root + "/configs/metadata.json", root + "/configs/inference.json"
if os.path.isfile({str(schema)!r}):
    import shutil
    shutil.copyfile({str(schema)!r}, "schema.json")
    verify_metadata(meta_file=meta, filepath="schema.json")
for kind in ("train", "inference"):
    workflow = create_workflow(config_file=root + f"/configs/{{kind}}.json", workflow_type=kind, bundle_root=root,
                               logging_file=root + "/configs/logging.conf", meta_file=meta)
    assert workflow.check_properties() == [], workflow.check_properties()
verify_net_in_out(net_id="network_def", meta_file=meta, config_file=config, bundle_root=root)
ckpt_export(net_id="network_def", filepath="verify.ts", ckpt_file=root + "/models/model.pt", meta_file=meta,
            config_file=config, bundle_root=root)
for kind in ("train", "inference"):
    network = load({NAME!r}, bundle_dir=os.path.dirname(root), workflow_type=kind)
    print(type(network).__name__, sum(p.numel() for p in network.parameters()))
module, metadata, extra = load({NAME!r}, bundle_dir=os.path.dirname(root), load_ts_module=True,
                               config_files=("inference.json",))
print(metadata["version"], sorted(extra))
""",
        tmp_path,
        bundle,
    )
    count = sum(p.numel() for p in ValidUNet(features=4, depth=2).parameters())
    assert output.splitlines().count(f"ValidUNet {count}") == 2
    assert (tmp_path / "verify.ts").is_file()


@pytest.mark.slow
@pytest.mark.parametrize(
    "line",
    [
        ["verify_metadata", "--filepath", "schema.json"],
        ["verify_net_in_out", "--net_id", "network_def", "--config_file", "configs/inference.json"],
        [
            *("ckpt_export", "--net_id", "network_def", "--config_file", "configs/inference.json"),
            *("--filepath", "models/exported.ts", "--ckpt_file", "models/model.pt"),
        ],
    ],
    ids=lambda line: line[0],
)
def test_the_checks_work_as_command_lines_inside_the_bundle(bundle, tmp_path, line):
    copy = tmp_path / NAME
    shutil.copytree(bundle, copy)
    if "schema.json" in line:
        if "UNET_REFERENCE" not in os.environ:
            pytest.skip("UNET_REFERENCE is not set: the schema is there")
        shutil.copyfile(Path(os.environ["UNET_REFERENCE"]) / "meta_schema_20240725.json", copy / "schema.json")
    done = subprocess.run(
        [sys.executable, "-m", "monai.bundle", *line, "--meta_file", "configs/metadata.json"],
        cwd=copy,
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (copy / "models" / "exported.ts").is_file() == (line[0] == "ckpt_export")


@pytest.mark.parametrize("labels", [1, 5])
def test_it_trains_from_pairs_as_monai_label_gives_them(bundle, images, tmp_path, labels):
    copy = tmp_path / NAME
    shutil.copytree(bundle, copy)
    pairs = [
        {key: str(images / "training" / key / f"{n:02d}.png") for key in ("image", "label")} for n in range(labels)
    ]
    held_out = labels // 5
    output = alone(
        f"""
import json, monai.bundle
root = {str(copy)!r}
handlers = json.load(open(root + "/configs/train.json"))["train"]["handlers"]
pairs = {pairs!r}
monai.bundle.run(run_id="run", init_id=None, final_id=None, config_file=root + "/configs/train.json",
                 meta_file=root + "/configs/metadata.json",
                 **{{"bundle_root": root, "train#trainer#max_epochs": 1, "device": "cpu", "train#handlers": handlers,
                     "train#dataset#data": pairs[{held_out}:], "validate#dataset#data": pairs[:{held_out}]}})
""",
        tmp_path,
        copy,
    )
    assert ("pixel error" in output) == (held_out > 0)
    before, after = (torch.load(b / "models" / "model.pt", weights_only=True) for b in (bundle, copy))
    assert before.keys() == after.keys()
    assert not any(torch.equal(before[key].float(), after[key]) for key in before if key.endswith("weight"))


def test_a_training_into_another_folder_leaves_the_packaged_model(bundle, images, tmp_path):
    before = {file.name: file.read_bytes() for file in (bundle / "models").iterdir()}
    alone(
        f"""
import monai.bundle
root = {str(bundle)!r}
monai.bundle.run(run_id="training", config_file=root + "/configs/train.json", dataset_dir={str(images)!r},
                 init_model=root + "/models", output_dir="runs", model_dir="tuned", max_epochs=1)
""",
        tmp_path,
        bundle,
    )
    assert {file.name: file.read_bytes() for file in (bundle / "models").iterdir()} == before
    assert {file.name for file in (tmp_path / "tuned").iterdir()} == before.keys() - {"model.ts"}


def test_what_is_pushed_to_a_hub_is_the_bundle(bundle, tmp_path, monkeypatch):
    calls = []
    api = SimpleNamespace(
        create_repo=lambda **given: calls.append(("create", given)),
        upload_folder=lambda **given: calls.append(("upload", given)) or "address",
        create_tag=lambda **given: calls.append(("tag", given)),
    )
    monkeypatch.setattr("monai.bundle.scripts.huggingface_hub", SimpleNamespace(HfApi=lambda token: api))
    shutil.copytree(bundle, tmp_path / NAME)
    address = monai.bundle.push_to_hf_hub(repo="lab/unet", name=NAME, bundle_dir=str(tmp_path), version="0.1.0")
    assert address == "address"
    assert [name for name, _ in calls] == ["create", "upload", "tag"]
    assert calls[1][1] == {"repo_id": "lab/unet", "folder_path": str(tmp_path / NAME)}
    card = (tmp_path / NAME / "README.md").read_text()
    assert card.startswith("---\ntags:\n- monai")
    assert f"# {NAME}" in card
