"""Interrupted, without a place to write, and with damaged files: one line, before the first run."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch

from custom.data import make_synthetic
from custom.errors import UserError
from scripts.reproduce.__main__ import main, plan, reproduce
from scripts.reproduce.experiments import CONFIGS, budgets, read_experiments
from scripts.reproduce.record import make_record
from scripts.reproduce.run import Run

ROOT = Path(__file__).parents[3]
PAPER = next(experiment for experiment in read_experiments(ROOT / CONFIGS) if experiment.name == "paper_em")
WAITING = """
import sys
from scripts.reproduce import __main__, run
waits = ["-c", "import pathlib, time; pathlib.Path(r'BEGUN').touch(); time.sleep(100)"]
run.Run.commands = lambda self: {"training": waits}
sys.exit(__main__.main(sys.argv[1:]))
"""


@pytest.fixture
def run(tmp_path, monkeypatch) -> Run:
    """A run on five images, whose commands do nothing."""
    monkeypatch.chdir(ROOT)
    make_synthetic(tmp_path / "data" / "isbi2012", 1, (32, 48), {"training": 4, "validation": 1, "test": 1})
    monkeypatch.setattr(Run, "_step", lambda *_: None)
    return plan([PAPER], budgets()["quick"], 1, tmp_path / "data", tmp_path / "runs")[0]


def test_a_table_that_cannot_be_written_is_known_before_the_first_run(run, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file/docs: cannot be written"):
        reproduce([run], tmp_path / "file" / "docs")
    assert not run.run_state.exists()


@pytest.mark.parametrize("content", ["[", "[]", '{"records": 1}', '{"records": [{"experiment": "x"}]}'])
def test_a_damaged_table_is_known_before_the_first_run(run, tmp_path, content):
    (tmp_path / "results.json").write_text(content)
    with pytest.raises(UserError, match=r"results\.json"):
        reproduce([run], tmp_path)
    assert not run.run_state.exists()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"commands": {}}'])
def test_a_damaged_state_of_a_run_is_refused(run, content):
    run.folder.mkdir(parents=True)
    run.run_state.write_text(content)
    with pytest.raises(UserError, match=r"run_state\.json"):
        run.read()


@pytest.mark.parametrize("damaged", ["checkpoint.pt", "evaluation/validation/metrics.csv"])
def test_a_finished_run_whose_files_are_damaged(run, damaged):
    state = run.execute()
    file = run.folder / damaged
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("x,y\n")
    with pytest.raises(UserError, match=rf"{run.folder.name}.*"):
        make_record(run, state)


def test_a_training_that_failed_in_its_first_epoch_is_a_row_of_the_table(run, monkeypatch):
    monkeypatch.setattr(Run, "_step", lambda *_: "error: diverged")
    state = run.execute()
    torch.save({"trainer": {"epoch": 0, "iteration": 0}}, run.folder / "checkpoint.pt")
    record = make_record(run, state)
    assert (record["failed"], record["epochs"], record["steps"]) == ("error: diverged", 0, 0)


def test_failed_runs_are_listed_in_the_error(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Run, "_step", lambda *_: "error: diverged")
    line = ["--budget", "quick", "--only", "paper_em", "--data", str(tmp_path / "data")]
    assert main([*line, "--runs", str(tmp_path / "runs"), "--output", str(tmp_path / "docs")]) == 1
    expected = f"error: 1 of 1 runs failed; the same command tries again:\n  {run.folder}: error: diverged\n"
    assert capsys.readouterr().err == expected


def test_a_broken_data_set_is_refused(run, tmp_path, capsys):
    (tmp_path / "data" / "isbi2012" / "dataset.json").write_text("{}")
    line = ["--budget", "quick", "--only", "paper_em", "--data", str(tmp_path / "data")]
    assert main([*line, "--runs", str(tmp_path / "runs"), "--output", str(tmp_path)]) == 2
    assert "dataset.json: lacks name" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")
def test_sigterm_ends_the_training_too_and_the_same_command_continues(run, tmp_path):
    code = WAITING.replace("BEGUN", str(tmp_path / "begun"))
    line = [sys.executable, "-c", code, "--budget", "quick", "--only", "paper_em", "--data", str(tmp_path / "data")]
    line += ["--runs", str(tmp_path / "runs"), "--output", str(tmp_path / "docs")]
    process = subprocess.Popen(line, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "begun").exists() and process.poll() is None:
        time.sleep(0.05)
    children = psutil.Process(process.pid).children()
    process.send_signal(signal.SIGTERM)
    assert process.stderr is not None
    assert process.stderr.read() == "terminated; the same command continues\n"
    assert process.wait(30) == 143
    assert len(children) == 1
    assert not children[0].is_running()
    assert json.loads(run.run_state.read_text())["done"] == []
    assert not (tmp_path / "docs" / "results.json").exists()
