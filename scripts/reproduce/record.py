"""One record of the table of results, read from the files of a run."""

from __future__ import annotations

import csv
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from custom.errors import UserError
from custom.json_file import read_json
from custom.model import read_model
from custom.report.curves import learning_curve

from .folds import describe_split
from .run import Run, shell_line

CURVE_POINTS = 60


def make_record(run: Run, run_state: dict[str, Any]) -> dict[str, Any]:
    """The record of a run that ended; without scores if it failed.

    Raises:
        UserError: a file of the run is damaged.
    """
    try:
        return _record(run, run_state)
    except UserError:
        raise
    except (OSError, ValueError, LookupError, TypeError, EOFError, RuntimeError, UnpicklingError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{run.folder}: damaged ({reason}); delete it to run the experiment again") from error


def _record(run: Run, run_state: dict[str, Any]) -> dict[str, Any]:
    record = {
        "experiment": run.experiment.name,
        "title": run.experiment.title,
        "data": run.experiment.data,
        "budget": run.budget.stem,
        "fold": run.fold,
        "seed": run.seed,
        "split": describe_split(run.dataset_dir),
        "hardware": ", ".join(run_state["hardware"]),
        "commands": documented_commands(run),
        "failed": run_state["failed"],
        "published": run.experiment.published,
    }
    if (run.folder / "checkpoint.pt").is_file():
        record |= read_training(run.folder)
    if run_state["failed"] is None:
        model = read_model(run.folder)
        record["parameters"] = sum(weight.numel() for weight in model.build().parameters())
        record["best_by"] = model.training.get("best_by", "pixel_error")
        record["threshold"] = model.postprocessing.threshold
        record["scores"] = read_scores(run.folder / "evaluation" / "validation" / "metrics.csv")
        if "tuning" in run_state["done"]:
            record["scores"] |= read_tuning(run.tuning / "tune.json")
    return record


def documented_commands(run: Run) -> dict[str, str]:
    """The run's command lines by step, with the default folders, whatever folders were used."""
    anywhere = Run.within(run.experiment, run.budget, run.fold, seed=run.seed)
    return {step: shell_line(line) for step, line in anywhere.commands().items()}


def read_scores(path: Path) -> dict[str, float]:
    """Measures by name, of a file with a `name,value` line each."""
    with path.open(newline="", encoding="utf-8") as lines:
        return {name: float(value) for name, value in csv.reader(lines)}


def read_tuning(path: Path) -> dict[str, float]:
    """SEG of settings chosen without the image, as `seg_left_out`; nothing where there was no second image."""
    value = read_json(path)["seg_cross_validated"]
    return {} if value is None else {"seg_left_out": float(value)}


def read_training(folder: Path) -> dict[str, Any]:
    """Steps, epochs, seconds and curves (loss and validation pixel error, against steps) of a training."""
    reached = torch.load(folder / "checkpoint.pt", map_location="cpu", weights_only=True, mmap=True)["trainer"]
    curves = learning_curve(folder)
    scale = reached["iteration"] / max(1, reached["epoch"])
    steps, errors = curves.get("pixel_error", ([], []))
    return {
        "steps": reached["iteration"],
        "epochs": reached["epoch"],
        "seconds": round(training_seconds(folder)),
        "last_pixel_error": finite(errors[-1]) if errors else None,
        "curves": {
            "train_loss": thin_out(*curves.get("train_loss", ([], []))),
            "pixel_error": [[round(epoch * scale), finite(error)] for epoch, error in zip(steps, errors, strict=True)],
        },
    }


def thin_out(steps: list[int], values: list[float]) -> list[list[float | None]]:
    """[step, mean value] of at most `CURVE_POINTS` stretches of a curve."""
    parts = np.array_split(np.arange(len(steps)), min(CURVE_POINTS, max(1, len(steps))))
    return [[steps[part[-1]], finite(np.mean(np.array(values)[part]))] for part in parts if len(part)]


def finite(value: float) -> float | None:
    """The number, or None for the NaN of a diverged training, which JSON does not support."""
    return float(value) if np.isfinite(value) else None


def training_seconds(folder: Path) -> float:
    """Time from the first to the last training step, summed over the sessions of a resumed training."""
    total = 0.0
    for file in sorted(folder.glob("events.out.tfevents.*")):
        events = EventAccumulator(str(file), size_guidance={"scalars": 0}).Reload()
        if "train_loss" in events.Tags()["scalars"]:
            times = [event.wall_time for event in events.Scalars("train_loss")]
            total += max(times) - min(times)
    return total
