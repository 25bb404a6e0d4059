"""Runs that are refused, in one line and before any work."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from scripts.segment_volume import __main__ as segment_volume
from scripts.segment_volume import workers

from .stack import command, refused


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("distributed") is None, reason="needs requirements-volume.txt")
def test_no_scheduler_there(files, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(workers, "TIMEOUT", 1)
    options = ("--scheduler", "tcp://127.0.0.1:9")
    assert segment_volume.main(command(files[0], tmp_path / "out.zarr", files[1], *options)) == 2
    assert "no Dask scheduler answers" in capsys.readouterr().err


def test_missing_dask_is_named(files, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda package: None)
    line = command(files[0], tmp_path / "out.zarr", files[1], "--scheduler", "tcp://127.0.0.1:9")
    refused(capsys, line, "pip install -r requirements-volume.txt")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--block", "62"), "--block 62: give a multiple of 4"),
        (("--memory", "0"), "--memory 0.0: give a positive"),
        (("--memory", "0.000001"), "memory_budget holds tiles"),
        (("--resume",), "no interrupted run"),
        (("--channel", "2"), "has no channel 2"),
        (("--model", "nowhere"), "model nowhere: no model.json there"),
        (("--orientations", "3"), "--orientations 3: input should be 1, 7 or 8"),
    ],
)
def test_refusals(more, message, files, tmp_path, capsys):
    refused(capsys, command(files[0], tmp_path / "out.zarr", files[1], *more), message)
    assert not (tmp_path / "out.zarr").exists()


def test_targets_that_cannot_be_made(files, tmp_path, capsys):
    (tmp_path / "out.zarr").mkdir()
    for path, message in ((tmp_path / "out.zarr", "exists already"), ("/", "/: exists already"), ("a.tif", "a.zarr")):
        refused(capsys, command(files[0], Path(path), files[1]), message)
