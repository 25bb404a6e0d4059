"""A training gets a folder that is free, or the one that it continues, to itself."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from filelock import FileLock
from ignite.engine import Engine
from torch import nn

from custom import files
from custom.errors import UserError
from custom.handlers import TrainingCheckpoint
from custom.run_folder import claim, require_disk


def checkpoint_of(path, epoch: int) -> None:
    state = {"epoch": epoch, "iteration": epoch, "max_epochs": 9}
    torch.save({"settings": "{}", "trainer": state, "evaluator": {"best_metric_epoch": -1}}, path)


@pytest.mark.parametrize("name", ["checkpoint.pt", "model.json", "model.pt"])
def test_a_folder_in_use_is_only_given_to_be_replaced(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(UserError, match=f"holds a training already \\({name}\\): continue it with --resume true"):
        claim(tmp_path / "checkpoint.pt")
    assert claim(tmp_path / "checkpoint.pt", overwrite=True) == []
    assert (tmp_path / name).read_bytes() == b"x"


def test_a_model_without_its_checkpoint_is_not_trained_over_by_resuming(tmp_path):
    (tmp_path / "model.json").write_bytes(b"x")
    with pytest.raises(UserError, match=r"holds a model \(model.json\), but no checkpoint.pt .* --overwrite true"):
        claim(tmp_path / "checkpoint.pt", resume=True)
    claim(tmp_path / "checkpoint.pt", resume=True, overwrite=True)


def test_a_training_that_failed_before_its_first_epoch_can_be_started_again(tmp_path):
    path = tmp_path / "checkpoint.pt"
    checkpoint_of(path, epoch=0)
    claim(path)
    (tmp_path / "model.json").write_bytes(b"x")  # as a fine-tuning scores its start
    with pytest.raises(UserError, match="holds a training already"):
        claim(path)


def test_another_process_in_the_folder_is_not_disturbed(tmp_path):
    with FileLock(tmp_path / ".lock"), pytest.raises(UserError, match="another process is writing to it"):
        claim(tmp_path / "checkpoint.pt", overwrite=True)


def test_only_a_continued_training_keeps_its_curves(tmp_path):
    path = tmp_path / "checkpoint.pt"
    curves = [tmp_path / f"events.out.tfevents.1795348600.host.1.{name}" for name in ("0", "1.pictures")]
    for file in (*curves, tmp_path / "notes.txt"):
        file.touch()
    assert claim(path) == curves  # of a run that was refused, or failed
    checkpoint_of(path, epoch=3)
    assert claim(path, resume=True) == []
    assert claim(path, resume=True, overwrite=True) == []
    assert claim(path, overwrite=True) == curves


def test_replaced_files_go_when_the_training_runs(tmp_path):
    old, trainer = tmp_path / "old", Engine(lambda engine, batch: None)
    old.touch()
    trainer.run = lambda: old.exists() and pytest.fail("still there")
    checkpoint = TrainingCheckpoint(tmp_path / "checkpoint.pt", {}, trainer, replaced=[old, tmp_path / "missing"])
    assert old.exists()
    checkpoint.run(trainer)
    assert not old.exists()


def test_a_disk_without_room_for_checkpoint_and_model_is_refused(tmp_path, monkeypatch):
    network, free = nn.Linear(2**20, 1, bias=False), 70 * 2**20  # 4 MiB of weights, of which 40 are needed, and 32
    monkeypatch.setattr(files.shutil, "disk_usage", lambda folder: SimpleNamespace(free=free))
    folder = tmp_path / "run"
    with pytest.raises(UserError, match=r"run: needs 72\.0 MiB, and the disk has 70\.0 MiB free"):
        require_disk(folder, network)
    folder.mkdir()
    (folder / "checkpoint.pt").write_bytes(bytes(3 * 2**20))  # of the training that continues
    require_disk(folder, network)
