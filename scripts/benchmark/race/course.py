"""Run the candidates one after another, score what they predicted, and report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from custom.data import read_dataset, read_image
from custom.errors import UserError
from custom.files import replace_file
from custom.metrics import pixel_error, v_info, v_rand

from .candidates import Candidate

ROOT = Path(__file__).parents[3]
MEASURES = {"pixel_error": pixel_error, "v_rand": v_rand, "v_info": v_info}
DATA = "data.npz"  # what candidates see
HELD_OUT = "held_out.npy"  # labels that no candidate sees


@dataclass(frozen=True)
class Settings:
    """What is raced.

    Args:
        dataset: prepared data set (see `custom.data.read_dataset`) of images of one size; its training list is trained
            on, its validation list is scored.
        folder: keeps the predictions; a candidate that is there already is not run again.
        minutes: budgets, in minutes of two cores.
        environments: folder with a virtual environment for each peer.
    """

    dataset: Path
    folder: Path
    minutes: Sequence[float] = (10.0,)
    environments: Path | None = None


@dataclass(frozen=True)
class Result:
    """Scores of a candidate at one mark; see `custom.metrics` for the measures."""

    candidate: str
    minutes: float
    wall_minutes: float
    steps: int
    scores: dict[str, float]


def lay_out(settings: Settings) -> str:
    """Write the data of all candidates into the folder: images and labels to train on, images to predict.

    Returns:
        What data they are, in words.

    Raises:
        UserError: no such data set, images of several sizes, or a folder with a race of other images.
    """
    data = read_dataset(settings.dataset)
    given: dict[str, Any] = {
        "images": stack(data.training, "image"),
        "labels": (stack(data.training, "label") > 0).astype(np.uint8),
        "held_out": stack(data.validation, "image"),
    }
    settings.folder.mkdir(parents=True, exist_ok=True)
    path = settings.folder / DATA
    if path.exists():
        with np.load(path) as before:
            if not all(np.array_equal(pixels, before[name]) for name, pixels in given.items()):
                raise UserError(f"--race_folder {settings.folder}: holds a race of other images; give another folder")
    with replace_file(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **given)
    np.save(settings.folder / HELD_OUT, (stack(data.validation, "label") > 0).astype(np.uint8))
    return f"{data.about['name']}: {len(data.training)} images to train on, {len(data.validation)} scored."


def stack(items: Iterable[dict[str, Any]], key: str) -> NDArray:
    """Pixels (N, H, W) of the listed files."""
    pixels = [read_image(item[key]) for item in items]
    if len({image.shape for image in pixels}) != 1 or pixels[0].ndim != 2:
        raise UserError(
            "--dataset: the race needs gray images of one size, and a validation list; give another data set"
        )
    return np.stack(pixels)


def race(candidates: Sequence[Candidate], settings: Settings) -> list[Result]:
    """Run each candidate that is not in the folder yet, and score all; after :func:`lay_out`."""
    results: list[Result] = []
    for candidate in candidates:
        for output, minutes in heats(candidate, settings):
            # Not every mark: one long step can pass several, of which the last is predicted.
            if not (output / f"{minutes[-1]:g}.npz").exists():
                run(candidate, settings, output, minutes)
            results += [score(candidate, path, settings.folder) for path in sorted(output.glob("*[0-9].npz"))]
    return results


def heats(candidate: Candidate, settings: Settings) -> list[tuple[Path, list[float]]]:
    """Folder and marks of each training of a candidate."""
    folder, minutes = settings.folder / candidate.name.replace(" ", "_").replace(",", ""), sorted(settings.minutes)
    if candidate.scheduled:
        return [(folder / f"{budget:g}", [budget]) for budget in minutes]
    return [(folder / "all", minutes)]


def run(candidate: Candidate, settings: Settings, output: Path, minutes: Sequence[float]) -> None:
    """Train a candidate in its environment, with one thread, until its budget is used."""
    python = candidate.python(settings.environments)
    if python is None:
        return
    print(f"race: {candidate.name}, {minutes[-1]:g} minutes ...", file=sys.stderr, flush=True)
    output.mkdir(parents=True, exist_ok=True)
    command = [str(python), "-m", candidate.recipe, "--folder"]
    command += [str(settings.folder.absolute()), "--output", str(output.absolute()), "--variant", candidate.variant]
    with (output / "log.txt").open("wb") as log:
        done = subprocess.run(
            [*command, "--minutes", *(f"{mark:g}" for mark in minutes)],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,  # what was predicted before is scored
        )
    if done.returncode != 0:
        print(f"race: {candidate.name} failed with exit code {done.returncode}, see {log.name}", file=sys.stderr)


def score(candidate: Candidate, path: Path, folder: Path) -> Result:
    """Score one mark's predictions."""
    labels = np.load(folder / HELD_OUT)
    with np.load(path) as saved:
        probability, facts = saved["probability"], json.loads(str(saved["facts"]))
    scores = {name: measure(labels, probability).value for name, measure in MEASURES.items()}
    return Result(candidate.name, facts["minutes"], facts["wall_minutes"], facts["steps"], scores)
