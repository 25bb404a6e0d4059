"""How long a training takes, said after its first steps."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest
from ignite.engine import Engine

from custom.handlers import TimeEstimate
from custom.handlers import time_estimate as module


def said(caplog, monkeypatch, steps: int, epochs: int, time_limit: float | None = None) -> list[tuple[int, str]]:
    """Step and sentence of each message, of steps that take 2 s each after a first one of 100 s."""
    trainer = Engine(lambda engine, batch: None)
    clock = SimpleNamespace(monotonic=lambda: 98.0 + 2 * trainer.state.iteration)
    monkeypatch.setattr(module, "time", clock)
    TimeEstimate(time_limit).attach(trainer)
    found = []
    handler = logging.Handler()
    handler.emit = lambda record: found.append((trainer.state.iteration, record.getMessage()))  # type: ignore[method-assign]
    logging.getLogger("training").addHandler(handler)
    try:
        with caplog.at_level(logging.INFO, logger="training"):
            trainer.run(range(steps), max_epochs=epochs)
    finally:
        logging.getLogger("training").removeHandler(handler)
    return found


def test_once_after_the_first_steps(caplog, monkeypatch):
    (message,) = said(caplog, monkeypatch, steps=20, epochs=5)
    line = "the 89 steps left take about 3 min on this machine, 2 s each, and validations come on top"
    assert message == (11, line)


def test_a_limit_that_ends_it_before(caplog, monkeypatch):
    (message,) = said(caplog, monkeypatch, steps=20, epochs=5, time_limit=60)
    line = "ends after 60 s (time_limit); the 89 steps left would take about 3 min on this machine"
    assert message == (11, line)
    assert "time_limit" not in said(caplog, monkeypatch, steps=20, epochs=5, time_limit=600)[0][1]


@pytest.mark.parametrize(("steps", "epochs", "expected"), [(4, 3, []), (5, 3, [5]), (8, 3, [8]), (8, 1, [])])
def test_short_epochs_and_trainings(caplog, monkeypatch, steps, epochs, expected):
    assert [step for step, _ in said(caplog, monkeypatch, steps=steps, epochs=epochs)] == expected
