"""Subsets, the power law, and the command with trainings of a few steps."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from custom.data import make_synthetic, read_dataset
from custom.errors import UserError
from custom.model import read_model, update_model
from scripts.learning_curve import __main__ as learning_curve
from scripts.learning_curve.extrapolation import PowerLaw, fit
from scripts.learning_curve.report import Point, draw, to_markdown
from scripts.learning_curve.subsets import check_numbers, doubling, write_subset

from ...models import make_model, shift

ROOT = Path(__file__).parents[3]


@pytest.fixture
def data(tmp_path) -> Path:
    make_synthetic(tmp_path / "data", 1, (96, 120), {"training": 6, "validation": 1, "test": 1})
    return tmp_path / "data"


def names(folder: Path, split: str) -> list[str]:
    return [Path(item["image"]).name for item in getattr(read_dataset(folder), split)]


def test_subsets_are_nested_and_hold_out_the_same_images(data, tmp_path):
    chosen = [names(write_subset(data, tmp_path / f"{n}", n, seed=3), "training") for n in (1, 2, 4, 6)]
    assert [len(part) for part in chosen] == [1, 2, 4, 6]
    assert set(chosen[0]) < set(chosen[1]) < set(chosen[2]) < set(chosen[3]) == set(names(data, "training"))
    assert names(tmp_path / "2", "validation") == names(data, "validation")
    others = {tuple(names(write_subset(data, tmp_path / f"seed{seed}", 3, seed), "training")) for seed in range(5)}
    assert len(others) > 1


def test_the_numbers_of_images(data):
    assert doubling(1) == [1]
    assert doubling(24) == [1, 2, 4, 8, 16, 24]
    assert doubling(8) == [1, 2, 4, 8]
    assert check_numbers([4, 2, 4], 5) == [2, 4]
    for wrong in (0, 6):
        with pytest.raises(UserError, match=f"--images {wrong}: the data set has 5 training images"):
            check_numbers([1, wrong], 5)


def test_a_power_law_is_found_again():
    law = PowerLaw(floor=0.05, height=0.3, rate=0.6)
    images = [1, 2, 4, 8, 16]
    found = fit(images, [law(n) for n in images])
    assert found is not None
    assert [found(n) for n in (32, 64)] == pytest.approx([law(n) for n in (32, 64)], abs=1e-4)
    assert found.floor == pytest.approx(0.05, abs=1e-3)
    assert fit([1, 2, 2, 4], [0.3, 0.2, 0.25, 0.1]) is None


def test_noise_moves_the_extrapolation_little():
    law = PowerLaw(floor=0.1, height=0.4, rate=0.7)
    images = [1, 2, 4, 8, 16] * 4
    noise = np.random.default_rng(0).normal(0, 0.01, len(images))
    found = fit(images, [law(n) + e for n, e in zip(images, noise, strict=True)])
    assert found is not None
    assert found(32) == pytest.approx(law(32), abs=0.02)


def test_the_table_has_means_ranges_and_what_to_expect():
    points = [Point("em", n, seed, 0.9 - 0.2 / n + 0.01 * seed) for n in (1, 2, 4, 8) for seed in (0, 1)]
    points.append(Point("random weights", 8, 0, 0.5))
    text = to_markdown(points, "SEG", 100)
    assert "| em | 0.7050 (0.7000 to 0.7100) | 0.8050 (0.8000 to 0.8100) |" in text
    assert "| random weights |  |  |  | 0.5000 |" in text
    assert "em: expected by a power law: 0.8" in text
    assert "random weights: no extrapolation from fewer than 4 numbers of images" in text


def test_a_curve_that_does_not_rise_is_not_extrapolated(tmp_path):
    points = [Point("random weights", n, 0, score) for n, score in ((1, 0.67), (2, 0.70), (4, 0.64), (8, 0.62))]
    assert "the score does not rise with the number of images" in to_markdown(points, "SEG", 200)
    draw(points, "SEG", tmp_path / "curve.png")
    assert (tmp_path / "curve.png").stat().st_size > 1000


def test_the_command_trains_scores_and_goes_on(data, tmp_path, monkeypatch, capsys):
    """One real training; the second call finds it done and adds the curve of another number."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    tiny = {"features": 2, "network_def#depth": 2, "input_size": 92, "steps_per_epoch": 2, "max_epochs": 1}
    write = learning_curve.write_json
    monkeypatch.setattr(learning_curve, "write_json", lambda path, content: write(path, content | tiny))
    output = tmp_path / "out"
    line = ["--dataset", str(data), "--output", str(output), "--steps", "2"]
    assert learning_curve.main([*line, "--images", "2"]) == 0
    first = json.loads((output / "learning_curve.json").read_text())
    assert [(p["images"], p["start"]) for p in first["points"]] == [(2, "random weights")]
    scores = (output / "scratch-2-0" / "evaluation" / "validation" / "metrics.csv").read_text()
    value = float(dict(row.split(",") for row in scores.splitlines())["pixel_error"])
    assert first["points"][0]["score"] == 1 - value
    capsys.readouterr()
    assert learning_curve.main([*line, "--images", "2"]) == 0
    assert "monai.bundle" not in capsys.readouterr().out
    assert (output / "learning_curve.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--images", "9"], "--images 9: the data set has 6 training images"),
        (["--steps", "0"], "--steps 0: give at least 1"),
        (["--steps", "120"], "--steps 120: give a multiple of 50"),
        (["--init_model", "nowhere"], "nowhere"),
    ],
)
def test_bad_input_is_refused_before_anything_is_trained(options, message, data, tmp_path, capsys):
    assert learning_curve.main(["--dataset", str(data), "--output", str(tmp_path / "out"), *options]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("steps", [1, 49, 50, 100, 500])
def test_a_training_has_as_many_steps_as_the_report_says(steps, tmp_path):
    overlay = json.loads(learning_curve.write_overlay(tmp_path, "none", steps).read_text())
    assert overlay["max_epochs"] * overlay["steps_per_epoch"] == steps


def test_a_model_is_given_once_and_its_name_leads_nowhere(data, tmp_path, capsys):
    for folder in ("a", "b"):
        make_model(tmp_path / folder)
    model = tmp_path / "a" / "model.json"
    model.write_text(model.read_text().replace('"name": "', '"name": "../../'))
    line = ["--dataset", str(data), "--output", str(tmp_path / "out"), "--init_model"]
    assert learning_curve.main([*line, str(tmp_path / "b"), str(tmp_path / "b" / "model.json")]) == 2
    assert "names a model twice" in capsys.readouterr().err
    learning_curve.write_overlay(tmp_path / "out", str(tmp_path / "a"), 3)
    assert list(tmp_path.glob("*.json")) == []


def test_trainings_from_a_model_that_changed_are_not_taken_for_those_from_before(tmp_path):
    model = make_model(tmp_path / "a")
    overlays = {learning_curve.write_overlay(tmp_path / "out", str(model.folder), 3) for _ in range(2)}
    shift(model)
    overlays.add(learning_curve.write_overlay(tmp_path / "out", str(model.folder), 3))
    update_model(read_model(tmp_path / "a").model_copy(update={"scale": 0.5}))
    overlays.add(learning_curve.write_overlay(tmp_path / "out", str(model.folder), 3))
    assert len(overlays) == 3
