"""A training beside other programs says so, once."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest
from ignite.engine import Engine

from custom.handlers import BusyMachine
from custom.handlers import busy_machine as module


@pytest.mark.parametrize(
    ("others", "threads", "cores", "free"),
    [(0.9, 2, 2, 1), (1.1, 2, 2, 1), (5.0, 2, 2, 1), (1.9, 8, 8, 6), (2.2, 7, 8, 6), (0.4, 8, 8, 7)],
)
def test_threads_that_have_no_core(others, threads, cores, free):
    line = module.advice(others, threads, cores, cores)
    assert f"{others:.1f} of {cores} cores" in line
    assert line.endswith(f"OMP_NUM_THREADS={free}")


@pytest.mark.parametrize(("others", "threads", "cores"), [(0.2, 2, 2), (1.0, 1, 2), (9.0, 1, 2), (4.0, 4, 8)])
def test_threads_that_have_a_core_each(others, threads, cores):
    assert module.advice(others, threads, cores, cores) is None


def test_threads_of_a_container_with_fewer_cores():
    line = module.advice(0.0, 64, 64, 4)
    assert "may use 4 of the 64 cores, so that its 64 threads wait" in line
    assert line.endswith("OMP_NUM_THREADS=4")
    assert module.advice(30.0, 4, 64, 4) is None
    assert module.advice(62.5, 4, 64, 4).endswith("OMP_NUM_THREADS=1")


@pytest.mark.parametrize(("used", "warnings"), [(0.1, 0), (0.9, 1)])
def test_once_after_the_first_steps(caplog, monkeypatch, used, warnings):
    """Steps of a second each, while others use `used` cores."""
    trainer = Engine(lambda engine, batch: None)
    monkeypatch.setattr(module, "clocks", lambda: (5.0 + trainer.state.iteration, used * trainer.state.iteration))
    monkeypatch.setattr(module.torch, "get_num_threads", lambda: 2)
    monkeypatch.setattr(module, "os", SimpleNamespace(cpu_count=lambda: 2))
    monkeypatch.setattr(module, "usable_cores", lambda: 2)
    BusyMachine().attach(trainer)
    with caplog.at_level(logging.INFO, logger="training"):
        trainer.run(range(20), max_epochs=3)
    assert [record.levelname for record in caplog.records] == ["WARNING"] * warnings
