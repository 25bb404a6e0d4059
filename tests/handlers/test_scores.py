"""Scores as files: all of an epoch, or none."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from ignite.engine import Engine
from monai.handlers import MetricsSaver

from custom.errors import UserError
from custom.handlers import ScoresSaver


def engine(value: float) -> Engine:
    made = Engine(lambda engine, batch: None)
    made.state = SimpleNamespace(metrics={"iou": value}, metric_details={})  # type: ignore[assignment]
    return made


def test_files_are_those_of_monai_and_others_stay(tmp_path):
    MetricsSaver(save_dir=str(tmp_path / "monai"), metrics=["iou"])(engine(0.5))
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "other.txt").touch()
    saver = ScoresSaver(save_dir=str(tmp_path / "own"), metrics=["iou"])
    for value in (0.25, 0.5):
        saver(engine(value))
    assert sorted(file.name for file in (tmp_path / "own").iterdir()) == ["metrics.csv", "other.txt"]
    assert (tmp_path / "own" / "metrics.csv").read_text() == (tmp_path / "monai" / "metrics.csv").read_text()


def test_a_full_disk_keeps_the_scores_that_were_there(tmp_path, monkeypatch):
    saver = ScoresSaver(save_dir=str(tmp_path), metrics=["iou"])
    saver(engine(0.25))
    before = (tmp_path / "metrics.csv").read_text()

    def full(self, engine):
        (Path(self.save_dir) / "metrics.csv").write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(MetricsSaver, "__call__", full)
    with pytest.raises(UserError, match=f"^{tmp_path}: cannot be written \\(No space left on device\\)"):
        saver(engine(0.5))
    assert [file.name for file in tmp_path.iterdir()] == ["metrics.csv"]
    assert (tmp_path / "metrics.csv").read_text() == before
    assert str(saver.save_dir) == str(tmp_path)
