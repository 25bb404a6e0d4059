"""`scripts.tune` and `scripts.robustness` from model folder and data set to their reports."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from custom.data import write_dataset, write_image
from custom.errors import UserError
from custom.model import Model, read_model, update_model
from scripts.robustness import __main__ as robustness
from scripts.robustness.perturbations import PERTURBATIONS
from scripts.tune import __main__ as tune
from scripts.tune import search
from tests.models import make_model, make_three_class_model, shift


@pytest.fixture
def dataset(tmp_path):
    """Images of two touching bright cells: one to train on, two held out."""
    folder = tmp_path / "cells"
    folder.mkdir()
    cells = np.zeros((44, 60), np.uint16)
    cells[8:36, 6:30], cells[8:36, 30:54] = 1, 2
    for name, rows in (("a", 0), ("b", 3), ("c", -4)):
        moved = np.roll(cells, rows, axis=0)
        write_image(folder / f"{name}.png", np.where(moved > 0, 200, 30).astype(np.uint8))
        write_image(folder / f"{name}_label.png", moved)
    items = [{"image": f"{name}.png", "label": f"{name}_label.png"} for name in "abc"]
    about = {"name": "Two cells", "description": "", "licence": "", "reference": "", "channel": ""}
    labels = {"0": "background", ">0": "cell"}
    write_dataset(folder, about, "instances", labels, {"training": items[:1], "validation": items[1:]})
    return folder


@pytest.fixture
def model(tmp_path) -> Model:
    torch.manual_seed(1)
    return make_model(tmp_path / "model", scale=0.5)


@pytest.fixture(autouse=True)
def small_grids(monkeypatch):
    for name, values in {"THRESHOLDS": (0.3, 0.5), "HEIGHTS": (2.0,), "SIGMAS": (1.0,), "GROWS": (0,)}.items():
        monkeypatch.setattr(search, name, values)
    monkeypatch.setattr(robustness, "PERTURBATIONS", PERTURBATIONS[:2])


def outcome_values(output):
    content = json.loads((output / "tune.json").read_text())
    return [content["best"]["seg"], content["seg_cross_validated"]]


def test_tune_saves_the_best_setting_when_asked(model, dataset, tmp_path, capsys):
    arguments = ["--model", str(model.folder), "--dataset", str(dataset), "--output", str(tmp_path / "out")]
    assert tune.main(arguments) == 0
    best = json.loads((tmp_path / "out" / "tune.json").read_text())["best"]
    assert read_model(model.folder).postprocessing == model.postprocessing
    assert tune.main([*arguments, "--save", "--orientations", "8"]) == 0
    saved = read_model(model.folder)
    assert saved.postprocessing.threshold in (0.3, 0.5)
    assert saved.postprocessing.fitted_on == "2 validation images of Two cells"
    assert [score.value for score in saved.scores if score.measure == "seg"] == outcome_values(tmp_path / "out")
    assert "2 validation images of Two cells, mean of 8 orientations" in saved.scores[0].on
    assert tune.main([*arguments, "--save"]) == 0
    again = read_model(model.folder)
    assert [score.value for score in again.scores if score.measure == "seg"] == outcome_values(tmp_path / "out")
    assert "2 validation images of Two cells, one pass" in again.scores[0].on
    assert saved.orientations == model.orientations
    assert saved.weights == model.weights
    assert f"{best['seg']:.4f}" in capsys.readouterr().out


def test_a_setting_is_not_saved_with_weights_that_it_was_not_fitted_to(model, dataset, tmp_path, monkeypatch, capsys):
    def train_meanwhile(*given):
        shift(model)
        return run_search(*given)

    run_search = tune.run_search
    monkeypatch.setattr(tune, "run_search", train_meanwhile)
    arguments = ["--model", str(model.folder), "--dataset", str(dataset), "--output", str(tmp_path / "out")]
    assert tune.main([*arguments, "--save"]) == 2
    assert "got other weights meanwhile" in capsys.readouterr().err
    assert read_model(model.folder).postprocessing == model.postprocessing


def test_tune_saves_the_scale_that_it_fitted_at(model, dataset, tmp_path):
    line = ["--model", str(model.folder), "--dataset", str(dataset), "--output", str(tmp_path / "out"), "--save"]
    assert tune.main([*line, "--scale", "0.75"]) == 0
    assert read_model(model.folder).scale == 0.75
    assert tune.main([*line, "--scale", "17"]) == 2


def test_tune_says_that_the_model_was_trained_on_the_images(model, dataset, tmp_path):
    model.data_source, model.training = "Two cells", {"validation_images": 0}
    update_model(model)
    line = ["--model", str(model.folder), "--dataset", str(dataset), "--output", str(tmp_path / "out"), "--save"]
    with pytest.warns(UserWarning, match="held out no image of Two cells"):
        assert tune.main(line) == 0
    assert read_model(model.folder).scores[0].on.startswith("2 validation images of Two cells, trained on, one pass")


def test_tune_needs_cells(model, dataset, capsys):
    for name in "bc":
        write_image(dataset / f"{name}_label.png", np.zeros((44, 60), np.uint16))
    assert tune.main(["--model", str(model.folder), "--dataset", str(dataset)]) == 2
    assert "no labelled cells" in capsys.readouterr().err
    content = json.loads((dataset / "dataset.json").read_text())
    content |= {"label_kind": "classes", "labels": {"0": "ground", "1": "cell"}, "ignore_value": 2}
    (dataset / "dataset.json").write_text(json.dumps(content))
    assert tune.main(["--model", str(model.folder), "--dataset", str(dataset)]) == 2
    assert "its labels are classes, of which there is no SEG" in capsys.readouterr().err


def test_tune_needs_as_many_classes_as_the_model_has(dataset, tmp_path, capsys):
    three = make_three_class_model(tmp_path / "three")
    three.channels = ["gray"]
    update_model(three)
    assert tune.main(["--model", str(three.folder), "--dataset", str(dataset)]) == 2
    assert "has 2 classes (background, cell), model" in capsys.readouterr().err


def test_a_model_that_cannot_be_written_is_refused_before_the_work(model, dataset, tmp_path, monkeypatch, capsys):
    def refuse(folder):
        if folder == model.folder:
            raise UserError(f"{folder}: cannot be written")

    monkeypatch.setattr(tune, "require_writable", refuse)
    monkeypatch.setattr(tune, "Segmenter", None)
    line = ["--model", str(model.folder), "--dataset", str(dataset), "--output", str(tmp_path / "out")]
    assert tune.main([*line, "--save"]) == 2
    assert "model: cannot be written" in capsys.readouterr().err


def test_tune_leaves_out_images_without_cells(model, dataset, tmp_path):
    write_image(dataset / "b_label.png", np.zeros((44, 60), np.uint16))
    arguments = ["--model", str(model.folder), "--dataset", str(dataset), "--output", str(tmp_path / "out")]
    with pytest.warns(UserWarning, match="a single image with cells in `validation`"):
        assert tune.main([*arguments, "--save"]) == 0
    content = json.loads((tmp_path / "out" / "tune.json").read_text())
    assert (list(content["seg_per_image"]), content["seg_cross_validated"]) == (["c"], None)
    assert read_model(model.folder).postprocessing.fitted_on == "1 validation image of Two cells"


def test_tune_says_what_a_single_image_cannot_tell(model, dataset, tmp_path):
    arguments = ["--model", str(model.folder), "--dataset", str(dataset), "--output", str(tmp_path / "out")]
    with pytest.warns(UserWarning, match="a single image with cells in `training`"):
        assert tune.main([*arguments, "--split", "training"]) == 0
    assert "what to expect on another image: not known" in (tmp_path / "out" / "tune.md").read_text()
    assert json.loads((tmp_path / "out" / "tune.json").read_text())["seg_cross_validated"] is None


def test_robustness_needs_cells(model, dataset, tmp_path, capsys):
    write_image(dataset / "a_label.png", np.zeros((44, 60), np.uint16))
    line = ["--model", str(model.folder), "--dataset", str(dataset), "--split", "training"]
    assert robustness.main([*line, "--output", str(tmp_path / "out")]) == 2
    assert "has no labelled cells in `training`; there is no SEG" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_robustness(model, dataset, tmp_path, capsys):
    arguments = ["--model", str(model.folder), "--dataset", str(dataset), "--output", str(tmp_path / "out")]
    assert robustness.main(arguments) == 0
    content = json.loads((tmp_path / "out" / "robustness.json").read_text())
    assert content["measure"] == "SEG"
    assert len(content["perturbations"]["larger"]["scores"]) == 5
    assert "| larger |" in capsys.readouterr().out
