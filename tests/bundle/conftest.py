"""A tiny data set, a tiny network and the command line, for runs of the whole bundle in seconds."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

ROOT = Path(__file__).parents[2]
CONFIGS = Path("bundle/configs")
TRAIN, QUICK = CONFIGS / "train.json", CONFIGS / "experiments" / "quick.json"
TINY = {
    "--network_def#depth": "2",
    "--network_def#features": "4",
    "--input_size": "92",
    "--batch_size": "1",
    "--max_epochs": "2",
    "--steps_per_epoch": "4",
    "--val_interval": "1",
}


def configs(*files: Path) -> str:
    return "[" + ", ".join(f"'{file}'" for file in files) + "]"


def command(run_id: str, *files: Path, **options: object) -> list[str]:
    """`python -m monai.bundle run RUN_ID --config_file ...` with options, as a user types it."""
    line = [sys.executable, "-m", "monai.bundle", "run", run_id, "--config_file", configs(*files)]
    for name, value in options.items():
        line += [f"--{name}", str(value)]
    return line


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}


def run(line: list[str], timeout: float = 300) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        line, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=timeout, check=False
    )


def train_tiny(dataset: Path, output: Path, overlays: Sequence[Path] = (), **options: object) -> list[str]:
    tiny = {name.removeprefix("--"): value for name, value in TINY.items()}
    given = {**tiny, "dataset_dir": dataset, "output_dir": output, **options}
    return command("training", TRAIN, QUICK, *overlays, **given)


def weights(path: Path) -> dict[str, torch.Tensor]:
    return load_file(path) if path.suffix == ".safetensors" else torch.load(path, weights_only=True)


@pytest.fixture(scope="session")
def trained(tiny_dataset, tmp_path_factory) -> Path:
    """Output folder of a finished tiny training."""
    output = tmp_path_factory.mktemp("runs") / "tiny"
    done = run(train_tiny(tiny_dataset, output))
    assert done.returncode == 0, done.stderr
    return output
