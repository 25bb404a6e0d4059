"""Checkpoints restore the whole state, are written atomically, and errors name what does not fit."""

from __future__ import annotations

import json
import resource
import signal

import pytest
import torch
from ignite.engine import Engine, Events
from torch import nn

from custom.errors import UserError
from custom.handlers import ResumableEarlyStop, TrainingCheckpoint
from tests.models import make_model


def engine(**state) -> Engine:
    made = Engine(lambda engine, batch: None)
    for name, value in {"best_metric": -1, "best_metric_epoch": -1, **state}.items():
        setattr(made.state, name, value)
    return made


def objects() -> dict:
    network = nn.Linear(3, 2)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    return {
        "network": network,
        "optimizer": optimizer,
        "lr_scheduler": torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=1),
    }


def test_everything_comes_back(tmp_path):
    state, evaluator, trainer = objects(), engine(best_metric=0.25, best_metric_epoch=3), engine()
    early_stop = ResumableEarlyStop(patience=9, score_function=lambda engine: 0.0, trainer=trainer)
    state["early_stop"] = early_stop
    for _ in range(3):
        state["network"](torch.rand(4, 3)).sum().backward()
        state["optimizer"].step()
        state["lr_scheduler"].step(1.0)
        early_stop(evaluator)
    path = tmp_path / "checkpoint.pt"
    TrainingCheckpoint(path, state, evaluator).attach(trainer)
    trainer.run([0, 0], max_epochs=4)

    fresh, other, resumed = objects(), engine(), engine()
    fresh["early_stop"] = ResumableEarlyStop(patience=9, score_function=lambda engine: 0.0, trainer=resumed)
    seen = []
    TrainingCheckpoint(path, fresh, other, resume=True).attach(resumed)
    resumed.add_event_handler(Events.STARTED, lambda e: seen.append((e.state.epoch, e.state.iteration)))
    resumed.run([0, 0], max_epochs=5)
    assert seen == [(4, 8)]
    assert resumed.state.epoch == 5
    assert (other.state.best_metric, other.state.best_metric_epoch) == (0.25, 3)
    assert fresh["early_stop"].state_dict() == early_stop.state_dict() != {}
    assert fresh["lr_scheduler"].state_dict() == state["lr_scheduler"].state_dict()
    for old, new in zip(state["network"].parameters(), fresh["network"].parameters(), strict=True):
        assert torch.equal(old, new)
        momenta = [s["optimizer"].state[p]["momentum_buffer"] for s, p in ((state, old), (fresh, new))]
        assert torch.equal(*momenta)


def test_without_a_checkpoint_resume_starts_afresh(tmp_path):
    trainer = engine()
    TrainingCheckpoint(tmp_path / "none.pt", objects(), engine(), resume=True).attach(trainer)
    trainer.run([0], max_epochs=1)
    assert (tmp_path / "none.pt").is_file()


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    path = tmp_path / "checkpoint.pt"
    TrainingCheckpoint(path, {"network": nn.Linear(3, 2)}, engine()).save(engine())
    other = TrainingCheckpoint(path, {"network": nn.Linear(5, 2)}, engine(), resume=True)
    with pytest.raises(UserError, match=r"checkpoint.pt does not fit this training \(network: .* size mismatch"):
        other.load(engine())


def resumed(path, before: dict, now: dict) -> None:
    """Load a checkpoint that was written with some settings in a training with others."""
    TrainingCheckpoint(path, {}, engine(), json.dumps(before)).save(engine())
    TrainingCheckpoint(path, {}, engine(), json.dumps(now), resume=True).load(engine())


def test_other_settings_are_listed_and_refused(tmp_path):
    before = {"seed": 1, "loss#reduction": "mean", "training images": "a1", "batch_size": 2}
    resumed(tmp_path / "checkpoint.pt", before, before)
    now = {"seed": 7, "training images": "b2", "batch_size": 2}
    message = r"other settings \(loss#reduction: \"mean\", now null; seed: 1, now 7; other training images\)"
    with pytest.raises(UserError, match=message):
        resumed(tmp_path / "checkpoint.pt", before, now)


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK"])
def test_a_damaged_checkpoint_is_refused(tmp_path, content):
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(content)
    with pytest.raises(UserError, match="checkpoint.pt is damaged"):
        TrainingCheckpoint(path, objects(), engine(), resume=True).load(engine())


@pytest.fixture
def resumable(tmp_path) -> tuple[TrainingCheckpoint, Engine]:
    """A training with a best model of epoch 2, and a trainer that cannot run."""
    make_model(tmp_path)
    path, trainer = tmp_path / "checkpoint.pt", engine()
    TrainingCheckpoint(path, {}, engine(best_metric=0.5, best_metric_epoch=2)).save(engine(max_epochs=3))
    trainer.run = lambda: setattr(trainer.state, "ran", True)
    return TrainingCheckpoint(path, {}, engine(), resume=True, model_dir=tmp_path), trainer


def test_a_training_is_resumed_beside_an_intact_model(resumable):
    checkpoint, trainer = resumable
    checkpoint.run(trainer)
    assert trainer.state.ran


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("model.json", None, "model.json: missing; checkpoint.pt needs this model of epoch 2"),
        ("model.json", b"{", "model.json"),
        ("weights.safetensors", None, "weights.safetensors: no such weights"),
        ("weights.safetensors", b"x", "weights.safetensors: damaged, its SHA-256 is not the one in model.json"),
    ],
)
def test_a_training_is_not_resumed_beside_a_damaged_model(name, content, message, resumable):
    """No later epoch may be better, and the damaged model would be the result."""
    checkpoint, trainer = resumable
    file = checkpoint.path.with_name(name)
    file.unlink() if content is None else file.write_bytes(content)
    with pytest.raises(UserError, match=message):
        checkpoint.run(trainer)
    assert not hasattr(trainer.state, "ran")


def test_an_interruption_says_how_to_continue(tmp_path):
    path = tmp_path / "checkpoint.pt"

    def interrupted() -> None:
        raise KeyboardInterrupt

    for advice in ("there is no checkpoint yet, start again", "continue with --resume true"):
        trainer = engine()
        trainer.run = interrupted
        with pytest.raises(KeyboardInterrupt, match=advice):
            TrainingCheckpoint(path, {}, engine(), resume=True).run(trainer)
        TrainingCheckpoint(path, {}, engine()).save(engine(max_epochs=3))


def test_a_full_disk_names_the_folder_and_says_how_to_continue(tmp_path):
    def full() -> None:
        raise OSError(28, "No space left on device")

    trainer = engine()
    trainer.run = full
    with pytest.raises(UserError, match=rf"^{tmp_path}: cannot be written \(No space left on device\); free some"):
        TrainingCheckpoint(tmp_path / "checkpoint.pt", {}, engine()).run(trainer)


def stopped_early(path, patience: int, max_epochs: int) -> tuple[int, int]:
    """Epochs at the end of a training in which nothing gets better, and of one that resumes it."""
    ends = []
    for resume, settings in ((False, (2, 9)), (True, (patience, max_epochs))):
        trainer, evaluator = engine(), engine()
        stop = ResumableEarlyStop(patience=settings[0], score_function=lambda engine: 0.0, trainer=trainer)
        trainer.add_event_handler(Events.EPOCH_COMPLETED, stop)
        TrainingCheckpoint(path, {"early_stop": stop}, evaluator, resume=resume).attach(trainer)
        trainer.run([0, 0], max_epochs=settings[1])
        ends.append(trainer.state.epoch)
    return ends[0], ends[1]


@pytest.mark.parametrize(("patience", "max_epochs", "end"), [(2, 9, 3), (2, 11, 5), (4, 9, 5), (9, 9, 9)])
def test_after_an_early_stop_it_goes_on_only_with_more_patience_or_epochs(tmp_path, caplog, patience, max_epochs, end):
    with caplog.at_level("INFO"):
        assert stopped_early(tmp_path / "checkpoint.pt", patience, max_epochs) == (3, end)
    assert ("stopped early after epoch 3" in caplog.text) == (end == 3)


def test_a_full_disk_leaves_the_old_checkpoint(tmp_path):
    """A file-size limit stands in for the full disk: the write fails half-way, with the same error from the kernel."""
    path = tmp_path / "checkpoint.pt"
    TrainingCheckpoint(path, {"network": nn.Linear(2, 2)}, engine()).save(engine())
    before = path.read_bytes()
    limits, action = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
        with pytest.raises(UserError, match="checkpoint.pt: cannot be written .*free space"):
            TrainingCheckpoint(path, {"network": nn.Linear(500, 500)}, engine()).save(engine())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, action)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint.pt"]
