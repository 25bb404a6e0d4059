"""A tiny experiment and model to package, and processes that see nothing but the bundle."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import torch

from custom.model import Model
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
