"""Checkpoints hold what was, are whole or absent, and say what does not fit."""

from __future__ import annotations

import resource
import signal

import pytest
import torch
from ignite.engine import Engine, Events
from torch import nn

from custom.errors import UserError
from custom.handlers import ResumableEarlyStop, TrainingCheckpoint


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
    with pytest.raises(UserError, match=r"checkpoint.pt does not fit this run \(network"):
        other.load(engine())


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
