"""Two processes (gloo, as without GPUs) train together and score as one, also with uneven shares of images."""

from __future__ import annotations

import csv
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import ndimage

from custom.data import make_synthetic, read_image, to_gray, write_dataset, write_image
from custom.inferers import OverlapTileInferer
from custom.model import write_model
from custom.networks import ValidUNet
from tests.models import make_model

from .conftest import CONFIGS, QUICK, TRAIN, command, run, train_tiny

EVALUATE = CONFIGS / "evaluate.json"
MULTI_TRAIN, MULTI_EVALUATE = CONFIGS / "multi_gpu_train.json", CONFIGS / "multi_gpu_evaluate.json"
LAUNCHER = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
SIZE = (96, 120)
MEASURES = {
    "classes": {
        "pixel_error",
        "iou",
        "val_loss",
        "calibration_error",
        "rand_error",
        "v_rand",
        "v_info",
        "warping_error",
    },
    "instances": {"pixel_error", "iou", "val_loss", "calibration_error", "seg"},
}


def in_two(line: list[str]) -> list[str]:
    """A command line of this project, started by torchrun as two processes."""
    return [line[0], *LAUNCHER, *line[1:]]


def by_rank(folder: Path) -> str:
    """Config expression: a folder of its own for what each rank writes."""
    return f"$'{folder}/' + str(@rank)"


def files(folder: Path) -> list[str]:
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


def finished(line: list[str]) -> subprocess.CompletedProcess[str]:
    done = run(line)
    assert done.returncode == 0, done.stderr
    return done


def read_metrics(folder: Path) -> dict[str, float]:
    return {name: float(value) for name, value in csv.reader((folder / "metrics.csv").open())}


def read_images(file: Path) -> dict[str, str]:
    """Score of each image; no image has two."""
    rows = list(csv.reader(file.open()))[1:]
    scores = {Path(name).name: score for name, score, _ in rows}
    assert len(scores) == len(rows), rows
    return scores


def predict(network: ValidUNet, image: NDArray) -> torch.Tensor:
    return OverlapTileInferer()(torch.from_numpy(to_gray(image))[None, None], network)[0]


def write_cells(folder: Path, network: ValidUNet) -> Path:
    """Six images, five to validate on, and as instances what the network finds in them, a little shifted."""
    items = []
    for number in range(6):
        noise = ndimage.gaussian_filter(np.random.RandomState(number).randn(*SIZE), 6)
        image = np.uint8(255 * (noise - noise.min()) / np.ptp(noise))
        item = {key: f"{key}/{number}.png" for key in ("image", "label")}
        cells, _ = ndimage.label(predict(network, image).argmax(dim=0).numpy() == 1)
        for key, pixels in {"image": image, "label": np.roll(cells, number, axis=1).astype(np.uint8)}.items():
            (folder / key).mkdir(parents=True, exist_ok=True)
            write_image(folder / item[key], pixels)
        items.append(item)
    labels = {"0": "background", ">0": "cell"}
    write_dataset(folder, {"name": "cells"}, "instances", labels, {"training": items[5:], "validation": items[:5]})
    return folder


@pytest.fixture(scope="module")
def network() -> ValidUNet:
    """Weights by chance, which call about half of an image foreground."""
    torch.manual_seed(0)
    return ValidUNet(features=4, depth=2).eval()


@pytest.fixture(scope="module", params=MEASURES)
def scored(request, network, tmp_path_factory) -> tuple[set[str], Path]:
    """Names of the measures, and a folder: evaluation by one process in `one`, by rank n of two in `two/n`."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "instances":
        dataset = write_cells(folder / "data", network)
    else:
        dataset = make_synthetic(folder / "data", seed=1, size=SIZE, counts={"training": 1, "validation": 5})
    model = make_model(folder / "model", features=4, depth=2)
    write_model(folder / "model", model, network.state_dict())
    options = {"dataset_dir": dataset, "model": folder / "model"}
    options["save_probability"] = request.param == "instances"
    finished(command("evaluating", TRAIN, EVALUATE, **options, evaluation_dir=folder / "one"))
    two = {**options, "evaluation_dir": by_rank(folder / "two")}
    finished(in_two(command("evaluating", TRAIN, EVALUATE, MULTI_EVALUATE, **two)))
    return MEASURES[request.param], folder


def test_two_processes_score_as_one(scored):
    measures, folder = scored
    one, two = read_metrics(folder / "one"), read_metrics(folder / "two" / "0")
    assert measures <= one.keys()
    assert all(0 < one[name] < 1 for name in measures - {"val_loss"}), one
    # The order in which images are added up differs; the loss is in single precision.
    assert two == {name: pytest.approx(value, rel=1e-6 if name == "val_loss" else 1e-12) for name, value in one.items()}


def test_every_image_is_scored_once(scored):
    measures, folder = scored
    names = {Path(item["image"]).name for item in json.loads((folder / "data/dataset.json").read_text())["validation"]}
    assert len(names) == 5
    for name in measures:
        one, two = (read_images(folder / run / f"{name}_raw.csv") for run in ("one", "two/0"))
        assert two == one
        assert one.keys() == names


def test_rank_0_writes_the_scores_and_each_rank_its_own_images(scored):
    measures, folder = scored
    shares = {rank: files(folder / "two" / str(rank)) for rank in (0, 1)}
    pictures = {rank: {name for name in share if name.endswith(".tif")} for rank, share in shares.items()}
    assert {name for name in shares[0] if name.endswith("_raw.csv")} == {f"{name}_raw.csv" for name in measures}
    assert sorted(shares[0] + sorted(pictures[1])) == files(folder / "one")
    assert set(shares[1]) == pictures[1]
    if "seg" in measures:
        assert (len(pictures[0]), len(pictures[1])) == (3, 2)
        for rank, share in pictures.items():
            for name in share:
                np.testing.assert_array_equal(
                    read_image(folder / "two" / str(rank) / name), read_image(folder / "one" / name)
                )


@pytest.fixture(scope="module")
def odd_dataset(tmp_path_factory) -> Path:
    return make_synthetic(
        tmp_path_factory.mktemp("odd") / "data", seed=3, size=SIZE, counts={"training": 3, "validation": 3}
    )


@pytest.mark.parametrize("average_momentum", ["none", "0.01"])
def test_two_processes_train_together_and_validate_as_one(odd_dataset, tmp_path, average_momentum):
    """The score is that of the weights that are saved, the moving average where there is one."""
    line = train_tiny(odd_dataset, by_rank(tmp_path), time_limit=1000, average_momentum=average_momentum)
    line[line.index("--config_file") + 1] = str([str(file) for file in (TRAIN, QUICK, MULTI_TRAIN)])
    finished(in_two(line))
    assert files(tmp_path / "1") == []
    first = tmp_path / "0"
    assert {"model.json", "weights.safetensors", "checkpoint.pt", "metrics.csv", "pixel_error_raw.csv"} <= set(
        files(first)
    )
    checkpoint = torch.load(first / "checkpoint.pt", weights_only=True)
    assert checkpoint["trainer"] == {"epoch": 2, "iteration": 8, "max_epochs": 2}
    options = {"dataset_dir": odd_dataset, "model": first}
    finished(command("evaluating", TRAIN, EVALUATE, **options))
    best = checkpoint["evaluator"]["best_metric"]
    assert read_metrics(first / "evaluation" / "validation")["pixel_error"] == pytest.approx(best, rel=1e-12)
    assert read_images(first / "pixel_error_raw.csv").keys() == {"03.png", "04.png", "05.png"}


def test_what_both_overlays_say_is_the_same():
    """MONAI has no way to let one overlay include another; evaluation lacks what belongs to gradients."""
    train, evaluate = (json.loads((TRAIN.parents[2] / file).read_text()) for file in (MULTI_TRAIN, MULTI_EVALUATE))
    only_train = {"network", "train#sampler", "validate#evaluator#network"}
    assert {key: value for key, value in train.items() if key not in only_train} == evaluate
