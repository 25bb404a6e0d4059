"""A packaged bundle stands alone, answers as the repository does, and passes what the model zoo checks."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import monai.bundle
import numpy as np
import pytest
import torch

from custom.data import make_synthetic, read_image
from custom.errors import UserError
from custom.files import altered_files
from custom.model import Model, read_model
from custom.networks import ValidUNet
from scripts.package_bundle import __main__ as package_bundle
from scripts.package_bundle.__main__ import BUNDLE, check_target, main, package
from scripts.package_bundle.code import modules_in_use, names_in
from scripts.package_bundle.configs import packaged, read, renamed, training_config
from scripts.package_bundle.metadata import FROM_MODEL
from tests.models import make_model

NAME = "unet_tiny_segmentation"
OVERLAY = {
    "name": "tiny",
    "max_epochs": 2,
    "steps_per_epoch": 2,
    "input_size": 92,
    "network_def#depth": 2,
    "network_def#features": 4,
    "optimizer": {"_target_": "torch.optim.AdamW", "params": "$@network.parameters()", "lr": "@learning_rate"},
    "lr_scheduler": {
        "_target_": "torch.optim.lr_scheduler.OneCycleLR",
        "optimizer": "@optimizer",
        "max_lr": 0.01,
        "total_steps": "$@train#trainer#max_epochs * @steps_per_epoch",
    },
}


def make_inputs(folder: Path, features: int = 4) -> tuple[Path, Model]:
    """A tiny experiment and a model of it, in half precision."""
    overlay = folder / f"tiny_{features}.json"
    overlay.write_text(json.dumps({**OVERLAY, "network_def#features": features}))
    torch.manual_seed(0)
    return overlay, make_model(folder / f"model_{features}", features=features, depth=2, half=True)


@pytest.fixture(scope="session")
def inputs(tmp_path_factory) -> tuple[Path, Model]:
    return make_inputs(tmp_path_factory.mktemp("inputs"))


@pytest.fixture(scope="session")
def bundle(inputs, tmp_path_factory) -> Path:
    """The packaged bundle, unzipped as `monai.bundle download` leaves it."""
    output = tmp_path_factory.mktemp("dist")
    folder = package(inputs[1], NAME, output / "made", str(inputs[0]))
    with zipfile.ZipFile(f"{folder}.zip") as archive:
        archive.extractall(output)
    return output / NAME


@pytest.fixture(scope="session")
def images(tmp_path_factory) -> Path:
    """Five images that are not square, and their labels."""
    folder = tmp_path_factory.mktemp("images") / "synthetic"
    return make_synthetic(folder, seed=2, size=(70, 90), counts={"training": 5})


def alone(code: str, cwd: Path, bundle: Path | None = None) -> str:
    """Output of Python code in a process with nothing of the repository on its path, at most the bundle."""
    path = f"import sys; sys.path.insert(0, {str(bundle)!r})\n" if bundle else ""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-I", "-c", path + code],
        cwd=cwd,
        env={**environment, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


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


@pytest.mark.parametrize("overlay", sorted((BUNDLE / "configs" / "experiments").glob("*.json")), ids=lambda f: f.stem)
def test_every_experiment_can_be_packaged(overlay, inputs):
    configs = BUNDLE / "configs"
    train = packaged(training_config(configs, inputs[1], overlay.stem), "other_code")
    inference = packaged(read(configs / "inference.json"), "other_code")
    assert train["name"] == overlay.stem
    assert train["dataset_dir"] == read(configs / "train.json")["dataset_dir"].replace("custom", "other_code")
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
    assert ("Key metric: pixel_error" in output) == (held_out > 0)
    before, after = (torch.load(b / "models" / "model.pt", weights_only=True) for b in (bundle, copy))
    assert before.keys() == after.keys()
    assert not any(torch.equal(before[key].float(), after[key]) for key in before if key.endswith("weight"))


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


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("my-bundle", "not a Python identifier"),
        ("2cells", "not a Python identifier"),
        ("class", "not a Python identifier"),
        ("zellkörper", "not a Python identifier"),
        ("json", "exists already"),
        ("custom", "exists already"),
        ("cell_Detection", "would take it for detection"),
        ("cell_classification", "would take it for classification"),
        ("deepedit_cells", "would take it for deepedit"),
    ],
)
def test_names_that_cannot_be_are_refused(tmp_path, name, message):
    with pytest.raises(UserError, match=message):
        check_target(name, tmp_path)


@pytest.mark.parametrize("taken", [NAME, f"{NAME}.zip"])
def test_a_taken_name_is_refused(inputs, tmp_path, taken, capsys):
    (tmp_path / taken).mkdir()
    line = ["--model", str(inputs[1].folder), "--experiment", str(inputs[0]), "--name", NAME, "--output", str(tmp_path)]
    assert main(line) == 2
    assert "exists already" in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == [taken]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--model", "nowhere"], "model nowhere: no model.json there"),
        (["--experiment", "kompakt"], "choose one of .*compact, "),
        (["--experiment", "broken.json"], "not a config file"),
        (["--experiment", "odd.json"], "does not fit train.json"),
        (["--threshold", "3"], "--threshold 3.0: input should be less than or equal to 1"),
        (["--name", "my-bundle"], "not a Python identifier"),
    ],
)
def test_inputs_that_cannot_be_used_are_refused(inputs, tmp_path, monkeypatch, capsys, more, message):
    monkeypatch.chdir(tmp_path)
    Path("broken.json").write_text("{")
    Path("odd.json").write_text(json.dumps({"nothing#here#at": 0}))
    line = ["--model", str(inputs[1].folder), "--experiment", str(inputs[0]), "--name", NAME, *more]
    assert main(line) == 2
    error = capsys.readouterr().err
    assert re.search(message, error)
    assert error.count("\n") == 1
    assert not Path("dist", NAME).exists()


def test_a_model_without_authors_needs_them_named(inputs, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(package_bundle, "export_torchscript", lambda bundle: None)
    make_model(tmp_path / "mine", features=4, depth=2, authors="", copyright="")
    line = ["--model", str(tmp_path / "mine"), "--name", NAME, "--output", str(tmp_path / "dist")]
    assert main(line) == 2
    assert "say whose work it is with --authors" in capsys.readouterr().err
    assert main([*line, "--authors", "B. Lab"]) == 0
    metadata = read(tmp_path / "dist" / NAME / "configs" / "metadata.json")
    assert (metadata["authors"], metadata["copyright"]) == ("B. Lab", "Copyright (c) B. Lab")


def test_a_bundle_says_what_the_model_says_of_itself(bundle, inputs):
    model = inputs[1]
    metadata = read(bundle / "configs" / "metadata.json")
    assert {key: metadata[key] for key in FROM_MODEL} == {key: getattr(model, key) for key in FROM_MODEL}
    texts = [(bundle / "docs" / name).read_text() for name in ("README.md", "data_license.txt")]
    for text in texts:
        assert model.license in text
        assert model.data_source in text
        assert model.references[0] in text
        assert "ISBI" not in text


def test_too_little_space_is_told_before_anything_is_written(inputs, tmp_path, monkeypatch):
    monkeypatch.setattr(package_bundle.shutil, "disk_usage", lambda folder: SimpleNamespace(free=1000))
    with pytest.raises(UserError, match="MB are needed"):
        package(inputs[1], NAME, tmp_path, str(inputs[0]))
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_up_leaves_nothing(inputs, tmp_path, monkeypatch):
    def fill(bundle: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(package_bundle, "export_torchscript", fill)
    with pytest.raises(UserError, match="No space left"):
        package(inputs[1], NAME, tmp_path, str(inputs[0]))
    assert list(tmp_path.iterdir()) == []
