"""Training from the command line: repeated, killed, resumed, extended, refused."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from custom.data import read_dataset
from custom.model import read_model
from custom.report.curves import learning_curve

from .conftest import QUICK, ROOT, TRAIN, command, environment, run, train_tiny, weights


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_a_seed_repeats_a_run_and_a_kill_does_not_change_it(tiny_dataset, trained, tmp_path):
    """SIGKILL in the second epoch, then `--resume true`: the weights of the uninterrupted run, bit for bit."""
    line = train_tiny(tiny_dataset, tmp_path / "killed")
    process = subprocess.Popen(line, cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    checkpoint = tmp_path / "killed" / "checkpoint.pt"
    wait_for_first_epoch(checkpoint, process)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "the run ended before it could be killed"
    assert weights(checkpoint)["trainer"]["epoch"] == 1
    done = run([*line, "--resume", "true"])
    assert done.returncode == 0, done.stderr
    ours, theirs = weights(checkpoint), weights(trained / "checkpoint.pt")
    assert ours["trainer"] == theirs["trainer"] == {"epoch": 2, "iteration": 8, "max_epochs": 2}
    assert same(ours["network"], theirs["network"])
    assert ours["evaluator"] == theirs["evaluator"]
    assert ours["lr_scheduler"] == theirs["lr_scheduler"]
    assert same(weights(tmp_path / "killed" / "weights.safetensors"), weights(trained / "weights.safetensors"))


def test_another_seed_is_another_run_and_leaves_nothing_of_the_first(tiny_dataset, trained, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(trained, folder)
    done = run(train_tiny(tiny_dataset, folder, seed=3, overwrite="true"))
    assert done.returncode == 0, done.stderr
    ours, theirs = weights(folder / "checkpoint.pt"), weights(trained / "checkpoint.pt")
    assert ours["trainer"] == theirs["trainer"]
    assert ours["lr_scheduler"] == theirs["lr_scheduler"]
    assert not same(ours["network"], theirs["network"])
    (steps, losses), old = learning_curve(folder)["train_loss"], curve(trained, "train_loss")
    assert steps == list(old)
    assert losses != list(old.values())


def curve(folder: Path, tag: str) -> dict[int, float]:
    """Values of a TensorBoard curve, by step."""
    for file in folder.glob("events.out.tfevents.*"):
        events = EventAccumulator(str(file)).Reload()
        if tag in events.Tags()["scalars"]:
            return {event.step: event.value for event in events.Scalars(tag)}
    return {}


@pytest.mark.parametrize("tag", ["learning_rate", "val_loss", "pixel_error", "iou"])
def test_tensorboard_has_scores_and_learning_rate_by_epoch(trained, tag):
    assert list(curve(trained, tag)) == [1, 2]


def test_a_training_takes_every_step(trained):
    checkpoint = weights(trained / "checkpoint.pt")
    assert len(curve(trained, "train_loss")) == 8
    moments = checkpoint["optimizer"]["state"].values()
    assert {int(moment["step"]) for moment in moments} == {8}
    assert any(moment["exp_avg"].abs().max() > 0 for moment in moments)


def test_a_final_model_is_trained_on_the_validation_images_too(tiny_dataset, tmp_path):
    done = run(train_tiny(tiny_dataset, tmp_path / "all", train_on_all="true", max_epochs=1))
    assert done.returncode == 0, done.stderr
    data, model = read_dataset(tiny_dataset), read_model(tmp_path / "all")
    assert data.validation
    assert model.training["training_images"] == len(data.training) + len(data.validation)
    assert model.training["validation_images"] == 0
    assert model.scores == []
    last = weights(tmp_path / "all" / "checkpoint.pt")["network"]
    assert same(weights(tmp_path / "all" / "weights.safetensors"), last)


def test_a_loss_of_monai_takes_two_lines(tiny_dataset, tmp_path):
    overlay = tmp_path / "dice.json"
    overlay.write_text(
        '{"loss": {"_target_": "DiceCELoss", "softmax": true, "to_onehot_y": true},\n "target": ["label"]}'
    )
    done = run(train_tiny(tiny_dataset, tmp_path / "run", overlays=[overlay], max_epochs=1))
    assert done.returncode == 0, done.stderr
    losses = list(curve(tmp_path / "run", "train_loss").values())
    assert len(losses) == 4
    assert all(0 < loss < 3 for loss in losses)
    assert 0 < curve(tmp_path / "run", "val_loss")[1] < 3


def test_a_finished_training_can_be_prolonged_with_its_settings_alone(tiny_dataset, trained, tmp_path):
    folder = tmp_path / "longer"
    shutil.copytree(trained, folder)
    before = weights(folder / "checkpoint.pt")
    for options, message in (
        ({}, "holds a training already (checkpoint.pt): continue it with --resume true"),
        (
            {"resume": "true", "seed": 7, "learning_rate": 0.5},
            "other settings (learning_rate: 0.002, now 0.5; seed: 2015",
        ),
    ):
        done = run(train_tiny(tiny_dataset, folder, **options))
        assert done.returncode != 0
        assert message in error_line(done)
        assert same(weights(folder / "checkpoint.pt")["network"], before["network"])
    done = run(train_tiny(tiny_dataset, folder, resume="true"))
    assert done.returncode == 0
    assert "training is complete: 2 of 2 epochs" in done.stdout
    done = run(train_tiny(tiny_dataset, folder, resume="true", max_epochs=3))
    assert done.returncode == 0, done.stderr
    assert "new cycle over the 4 steps that are left" in done.stdout
    after = weights(folder / "checkpoint.pt")
    assert after["trainer"] == {"epoch": 3, "iteration": 12, "max_epochs": 3}
    assert not same(after["network"], before["network"])


def test_sigterm_ends_a_training_in_one_line_that_says_how_to_continue(tiny_dataset, tmp_path):
    line = train_tiny(tiny_dataset, tmp_path, max_epochs=500)
    process = subprocess.Popen(line, cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    wait_for_first_epoch(tmp_path / "checkpoint.pt", process)
    process.send_signal(signal.SIGTERM)
    stderr = process.communicate(timeout=120)[1].decode()
    assert process.returncode == 143
    assert stderr.endswith("\nterminated; continue with --resume true\n")
    assert "Traceback" not in stderr
    assert weights(tmp_path / "checkpoint.pt")["trainer"]["epoch"] >= 1


def wait_for_first_epoch(checkpoint: Path, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 240
    while not checkpoint.exists() or weights(checkpoint)["trainer"]["epoch"] == 0:
        if time.monotonic() > deadline or process.poll() is not None:
            return
        time.sleep(0.01)


def error_line(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that says what was wrong."""
    errors = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert len(errors) == 1, done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    return errors[0]


REFUSALS = {
    "misspelt override": ({"max_epoch": 5}, "did you mean max_epochs"),
    "missing data set": ({"dataset_dir": "/nowhere/at/all"}, "/nowhere/at/all: no such data set folder"),
    "inadmissible input size": ({"input_size": 100}, "input size 100 does not fit"),
    "features that cannot be": ({"network_def#features": 0}, "--network_def#features is 0"),
    "measure that the labels do not have": ({"best_by": "seg"}, "dataset.json labels classes, not instances"),
    "output folder that cannot be": ({"output_dir": "/proc/nowhere"}, "/proc/nowhere"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_training_refuses_in_one_line_before_it_starts(case, tiny_dataset, tmp_path):
    given, message = REFUSALS[case]
    options = {"dataset_dir": tiny_dataset, "output_dir": tmp_path / "out", **given}
    done = run(command("training", TRAIN, QUICK, **options))
    assert done.returncode != 0
    assert message in error_line(done)
    assert not (tmp_path / "out" / "checkpoint.pt").exists()
