"""Two packaged bundles in one program, and one in two processes."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from custom.data import make_synthetic, read_dataset, read_image
from scripts.package_bundle.__main__ import BUNDLE, package

from .making import alone, make_inputs

WIDTHS = {"unet_narrow": 4, "unet_wide": 6}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A folder with two bundles of different width in `dist`, and their weights."""
    folder = tmp_path_factory.mktemp("made")
    for name, features in WIDTHS.items():
        overlay, model = make_inputs(folder, features)
        package(model, name, folder / "dist", str(overlay))
    return folder


def test_two_bundles_in_one_program_predict_as_their_sources_bit_for_bit(made, tmp_path):
    """The first again after the second: neither takes the other's code or weights."""
    make_synthetic(tmp_path / "data", seed=2, size=(70, 90), counts={"training": 2})
    images = tmp_path / "data" / "training" / "image"
    runs = [(f"packaged{turn}", name) for turn, name in enumerate([*WIDTHS, "unet_narrow"])]
    said = alone(
        f"""
import sys, monai.bundle
for output, name in {runs!r}:
    monai.bundle.run(run_id="inferring", config_file=f"{made}/dist/{{name}}/configs/inference.json",
                     dataset_dir={str(images)!r}, output_dir=output, save=["mask", "probability"])
    print(sorted(module for module in sys.modules if module.endswith("_code") or module == "custom"))
""",
        tmp_path,
    )
    assert said.splitlines()[-1] == "['unet_narrow_code', 'unet_wide_code']"
    alone(
        f"""
import monai.bundle
for name, features in {WIDTHS!r}.items():
    monai.bundle.run(run_id="inferring", config_file="bundle/configs/inference.json", dataset_dir={str(images)!r},
                     output_dir=f"{tmp_path}/{{name}}", save=["mask", "probability"],
                     model=f"{made}/model_{{features}}")
""",
        BUNDLE.parent,
        BUNDLE.parent,
    )
    for output, name in runs:
        files = sorted(file.relative_to(tmp_path / name) for file in (tmp_path / name).rglob("*.*"))
        assert len(files) == 4
        for file in files:
            np.testing.assert_array_equal(read_image(tmp_path / output / file), read_image(tmp_path / name / file))
    first, second = (read_image(tmp_path / name / "probabilities" / "00.tif") for name in WIDTHS)
    assert (first != second).any()


@pytest.mark.slow
def test_two_processes_train_and_evaluate_a_bundle_from_any_folder(made, images, tmp_path):
    bundle = made / "dist" / "unet_narrow"

    def run(run_id: str, *configs: str) -> None:
        files = [str(bundle / "configs" / config) for config in configs]
        line = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
        line += ["-m", "monai.bundle", "run", run_id, "--config_file", str(files), "--dataset_dir", str(images)]
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        environment |= {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
        done = subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    before = torch.load(bundle / "models" / "model.pt", weights_only=True)
    run("training", "train.json", "multi_gpu_train.json")
    checkpoint = torch.load(bundle / "runs" / "tiny" / "checkpoint.pt", weights_only=True)
    assert checkpoint["trainer"] == {"epoch": 2, "iteration": 4, "max_epochs": 2}
    after = torch.load(bundle / "models" / "model.pt", weights_only=True)
    assert before.keys() == after.keys()
    assert not any(torch.equal(before[key].float(), after[key]) for key in before if key.endswith("weight"))
    run("evaluating", "train.json", "evaluate.json", "multi_gpu_evaluate.json")
    scores = bundle / "runs" / "tiny" / "evaluation" / "validation"
    metrics = dict(csv.reader((scores / "metrics.csv").open()))
    assert float(metrics["pixel_error"]) == pytest.approx(checkpoint["evaluator"]["best_metric"], rel=1e-12)
    rows = list(csv.reader((scores / "pixel_error_raw.csv").open()))
    assert len(rows) == 1 + len(read_dataset(images).validation) > 1
    assert not list(tmp_path.iterdir())
