"""When validations happen, and what a training logs."""

from __future__ import annotations

import logging

import pytest
import torch
from ignite.engine import Engine, Events
from torch import nn

from custom.handlers import EpochLine, Validation


def validated(interval: int, max_epochs: int, stop_in: int | None = None) -> list[int]:
    """Epochs after which there was a validation."""
    seen = []
    handler = Validation(interval=interval)
    handler.validator = type("Validator", (), {"run": staticmethod(seen.append)})
    trainer = Engine(lambda engine, batch: engine.terminate_epoch() if engine.state.epoch == stop_in else None)
    handler.attach(trainer)
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda e: e.terminate() if e.state.epoch == stop_in else None)
    trainer.run([0, 0], max_epochs=max_epochs)
    return seen


@pytest.mark.parametrize(
    ("interval", "max_epochs", "stop_in", "expected"),
    [
        (1, 3, None, [1, 2, 3]),
        (2, 4, None, [2, 4]),
        (2, 5, None, [2, 4, 5]),
        (9, 5, None, [5]),
        (4, 9, 5, [4, 5]),
    ],
)
def test_validation_at_the_interval_and_at_the_end(interval, max_epochs, stop_in, expected):
    assert validated(interval, max_epochs, stop_in) == expected


def test_one_line_an_epoch(caplog):
    optimizer = torch.optim.SGD(nn.Linear(2, 1).parameters(), lr=0.025)
    trainer, evaluator = Engine(lambda engine, batch: None), Engine(lambda engine, batch: None)
    evaluator.state.best_metric_epoch, evaluator.state.key_metric_name = 2, "pixel_error"
    trainer.state.metrics["train_loss"] = 0.5

    @trainer.on(Events.EPOCH_COMPLETED(every=2))
    def validate() -> None:
        evaluator.state.epoch = trainer.state.epoch
        evaluator.state.metrics = {"pixel_error": 0.0625, "iou": 0.75, "val_loss": 0.4, "pixel_error_threshold": 0.3}

    EpochLine(evaluator, optimizer).attach(trainer)
    with caplog.at_level(logging.INFO, logger="training"):
        trainer.run([0], max_epochs=4)
    error, others = "pixel error 0.0625", "foreground IoU 0.7500, validation loss 0.4000"
    assert [record.message for record in caplog.records] == [
        "epoch 1/4, loss 0.5000, learning rate 0.025, 0 s left",
        f"epoch 2/4, loss 0.5000, {error} (best so far), {others}, learning rate 0.025, 0 s left",
        "epoch 3/4, loss 0.5000, learning rate 0.025, 0 s left",
        f"epoch 4/4, loss 0.5000, {error}, {others}, learning rate 0.025",
    ]


def test_the_measure_that_weights_are_chosen_by_comes_first(caplog):
    optimizer = torch.optim.SGD(nn.Linear(2, 1).parameters(), lr=0.025)
    trainer, evaluator = Engine(lambda engine, batch: None), Engine(lambda engine, batch: None)
    evaluator.state.best_metric_epoch, evaluator.state.epoch, trainer.state.metrics["train_loss"] = 1, 1, 0.5
    evaluator.state.metrics = {"smoothed_score": 0.7, "seg": 0.8, "pixel_error": 0.0625}
    EpochLine(evaluator, optimizer, best_by="seg").attach(trainer)
    with caplog.at_level(logging.INFO, logger="training"):
        trainer.run([0], max_epochs=1)
    chosen = "SEG 0.8000, smoothed 0.7000 (best so far), pixel error 0.0625"
    assert caplog.records[0].message == f"epoch 1/1, loss 0.5000, {chosen}, learning rate 0.025"


@pytest.mark.parametrize(
    ("limit", "expected"), [(None, "33 min left"), (300, "3 min left"), (100, ""), (9999, "33 min")]
)
def test_the_time_left_ends_with_the_time_limit(monkeypatch, caplog, limit, expected):
    """One of 21 epochs took 100 seconds."""
    clock = iter([0.0, 100.0])
    trainer, evaluator = Engine(lambda engine, batch: None), Engine(lambda engine, batch: None)
    line = EpochLine(evaluator, torch.optim.SGD(nn.Linear(2, 1).parameters(), lr=0.025), time_limit=limit)
    monkeypatch.setattr("custom.handlers.console.time.monotonic", lambda: next(clock))
    trainer.state.epoch, trainer.state.max_epochs, trainer.state.metrics = 1, 21, {"train_loss": 0.5}
    line.begin(trainer)
    with caplog.at_level(logging.INFO, logger="training"):
        line(trainer)
    assert caplog.records[0].message.partition("learning rate 0.025")[2].removeprefix(", ").startswith(expected)
    assert ("left" in caplog.records[0].message) == bool(expected)


def test_the_time_left_of_a_resumed_training(monkeypatch, caplog):
    """Epochs 3 and 4 of 5 take 10 and 20 seconds; those before took no time of this run."""
    clock = iter([100.0, 110.0, 130.0, 150.0])
    monkeypatch.setattr("custom.handlers.console.time.monotonic", lambda: next(clock))
    trainer, evaluator = Engine(lambda engine, batch: None), Engine(lambda engine, batch: None)
    trainer.state.metrics["train_loss"] = 0.5
    EpochLine(evaluator, torch.optim.SGD(nn.Linear(2, 1).parameters(), lr=0.025)).attach(trainer)
    trainer.add_event_handler(Events.STARTED, lambda: setattr(trainer.state, "epoch", 2))
    with caplog.at_level(logging.INFO, logger="training"):
        trainer.run([0], max_epochs=5)
    assert [record.message.rpartition(", ")[2] for record in caplog.records[:2]] == ["20 s left", "15 s left"]
