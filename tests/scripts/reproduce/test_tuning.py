"""Experiments on cells are tuned between training and scoring, by their method; other runs are as before."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from custom.data import make_synthetic
from custom.model import Postprocessing
from scripts.reproduce.__main__ import choose, plan
from scripts.reproduce.experiments import budgets
from scripts.reproduce.record import make_record, read_tuning
from scripts.reproduce.run import Run, write_json
from scripts.reproduce.table import section
from scripts.tune.__main__ import make_parser
from tests.models import make_model

ROOT = Path(__file__).parents[3]


@pytest.fixture
def runs(tmp_path, monkeypatch) -> dict[str, Run]:
    """The runs of both experiments of HeLa cells, by name; their lists name other images."""
    monkeypatch.chdir(ROOT)
    make_synthetic(tmp_path / "data" / "hela", 1, (32, 48), {"training": 2, "validation": 1, "test": 1})
    planned = plan(choose(["best_hela", "paper_hela"]), budgets()["quick"], 1, tmp_path / "data", tmp_path / "runs")
    return {run.experiment.name: run for run in planned}


@pytest.fixture
def done(monkeypatch) -> list[str]:
    """Steps in the order in which they are done, without doing them."""
    steps: list[str] = []
    monkeypatch.setattr(Run, "_step", lambda _, step, *__: steps.append(step))
    return steps


@pytest.mark.parametrize("name", ["best_hela", "paper_hela"])
def test_cells_are_tuned_before_they_are_scored(runs, done, name):
    assert runs[name].execute()["done"] == done == ["training", "tuning", "evaluating"]


def test_membranes_are_not_tuned(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    run = Run.within(*choose(["paper_em"]), budgets()["quick"], 4, tmp_path / "data", tmp_path / "runs")
    assert list(run.commands()) == ["training", "evaluating"]


@pytest.mark.parametrize(("name", "methods"), [("best_hela", None), ("paper_hela", ["components"])])
def test_the_line_is_one_of_the_tune_command(runs, name, methods):
    run = runs[name]
    line = run.commands()["tuning"]
    given = make_parser().parse_args(line[2:])
    assert line[:2] == ["-m", "scripts.tune"]
    assert (Path(given.model), given.dataset, given.split) == (run.folder, run.dataset_dir, "validation")
    assert (given.output, given.save, given.methods) == (run.tuning, True, methods)


@pytest.mark.parametrize("before", [["training"], ["training", "evaluating"]])
def test_a_run_recorded_before_there_was_tuning_is_tuned_and_scored_again(runs, done, before):
    run = runs["best_hela"]
    run.execute()
    state = json.loads(run.run_state.read_text())
    del state["commands"]["tuning"]
    write_json(run.run_state, {**state, "done": before})
    done.clear()
    run.execute()
    assert done == ["tuning", "evaluating"]
    run.execute()
    assert done == ["tuning", "evaluating"]
    assert list(run.read()["commands"]) == ["training", "tuning", "evaluating"]


@pytest.mark.usefixtures("done")
@pytest.mark.parametrize(
    ("name", "training", "best_by", "scores"),
    [
        ("best_hela", {"best_by": "seg"}, "seg", {"seg": 0.75, "seg_left_out": 0.875}),
        ("paper_hela", {}, "pixel_error", {"seg": 0.75, "seg_left_out": 0.875}),
    ],
)
def test_a_record_has_the_measure_the_threshold_and_the_score_of_images_left_out(runs, name, training, best_by, scores):
    run = runs[name]
    state = run.execute()
    make_model(run.folder, training=training, postprocessing=Postprocessing(threshold=0.3))
    metrics = run.folder / "evaluation" / "validation" / "metrics.csv"
    metrics.parent.mkdir(parents=True)
    metrics.write_text("seg,0.75\n")
    write_json(run.folder / "tuning" / "tune.json", {"seg_cross_validated": 0.875})
    record = make_record(run, state)
    assert (record["best_by"], record["threshold"], record["scores"]) == (best_by, 0.3, scores)


@pytest.mark.parametrize(("found", "scores"), [(0.875, {"seg_left_out": 0.875}), (None, {})])
def test_a_single_image_has_no_score_of_images_left_out(tmp_path, found, scores):
    write_json(tmp_path / "tune.json", {"seg_cross_validated": found})
    assert read_tuning(tmp_path / "tune.json") == scores


def test_a_row_with_and_one_without_tuning():
    base = {"budget": "quick", "fold": None, "title": "t", "data": "hela", "split": "4 / 2", "hardware": "h"}
    common = {**base, "failed": None, "published": {}, "example": "x.jpg"}
    tuned = {**common, "experiment": "best_hela", "scores": {"seg": 0.9, "seg_left_out": 0.8}, "threshold": 0.2}
    tuned["best_by"] = "seg"
    plain = {**common, "experiment": "paper_hela", "scores": {"seg": 0.7}}
    text = section("HeLa", "hela", [tuned, plain], ("seg", "seg_left_out"))
    assert "| SEG | SEG, left out |" in text
    assert "| SEG | 0.9000 | 0.8000 |" in text
    assert "| pixel error | 0.7000 |  |" in text
    assert "best_hela, quick: t; threshold 0.2\n" in text
    assert "paper_hela, quick: t; threshold 0.5\n" in text
