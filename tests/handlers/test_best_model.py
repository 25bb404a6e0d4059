"""The best model is written with the threshold and scores of its validation, atomically."""

from __future__ import annotations

import json

import pytest
import torch
from ignite.engine import Engine

from custom.errors import UserError
from custom.handlers import BestModelSaver
from custom.model import read_model
from tests.models import make_model


def engine(**state) -> Engine:
    made = Engine(lambda engine, batch: None)
    for name, value in {"best_metric": -1, "best_metric_epoch": -1, **state}.items():
        setattr(made.state, name, value)
    return made


@pytest.fixture
def model(tmp_path):
    return make_model(tmp_path / "described", training={"validation_images": 2})


def test_the_model_is_written_in_the_best_epoch_alone(model, tmp_path):
    network, folder = model.network(), tmp_path / "deep" / "run"
    evaluator = engine(best_metric_epoch=1)
    evaluator.state.metrics = {"pixel_error": 0.2, "pixel_error_threshold": 0.30000000000000004, "val_loss": 1.0}
    BestModelSaver(network, folder, model).attach(evaluator)
    evaluator.run([0], max_epochs=1)
    written = read_model(folder)
    assert written.postprocessing.threshold == 0.3
    assert written.postprocessing.fitted_on == "pixel error on 2 validation images of A tiny data set, one pass"
    assert [(score.measure, score.value) for score in written.scores] == [("pixel_error", 0.2)]
    assert written.scores[0].on.endswith(", one pass; the weights were chosen by it")
    assert written.training["epoch"] == 1
    with torch.no_grad():
        network.classify.bias.add_(1)
    evaluator.state.best_metric_epoch = 0
    evaluator.run([0], max_epochs=1)
    assert read_model(folder) == written
    assert model.scores == []


def test_scores_say_how_many_orientations_were_averaged(model, tmp_path):
    saver = BestModelSaver(model.network(), tmp_path / "run", model, orientations=7)
    saver.save({"pixel_error": 0.2, "iou": 0.5}, 1)
    assert read_model(tmp_path / "run").scores[1].on.endswith("A tiny data set, mean of 7 orientations")


@pytest.mark.parametrize(("fitted", "kept"), [(0.0, 0.05), (1.0, 0.95)])
def test_a_threshold_at_the_end_of_the_scale_is_moved_inside(model, tmp_path, fitted, kept):
    saver = BestModelSaver(model.network(), tmp_path / "run", model)
    saver.save({"pixel_error_threshold": fitted}, 1)
    assert read_model(tmp_path / "run").postprocessing.threshold == kept


def test_without_validation_the_last_weights_are_written(model, tmp_path):
    trainer, evaluator = engine(), engine()
    saver = BestModelSaver(model.network(), tmp_path / "run", model)
    saver.attach_to_trainer(trainer, evaluator)
    trainer.run([0], max_epochs=2)
    assert read_model(tmp_path / "run").training["epoch"] == 2
    evaluator.state.best_metric_epoch = 1
    before = (tmp_path / "run" / "model.json").stat().st_mtime_ns
    trainer.run([0], max_epochs=3)
    assert (tmp_path / "run" / "model.json").stat().st_mtime_ns == before


def test_flat_weights_are_written_for_others_and_an_older_torchscript_is_removed(model, tmp_path):
    flat = tmp_path / "run" / "model.pt"
    flat.parent.mkdir()
    flat.with_suffix(".ts").write_bytes(b"old")
    network = model.network()
    BestModelSaver(network, tmp_path / "run", model, flat).save({}, 1)
    saved = torch.load(flat, weights_only=True)
    assert all(torch.equal(saved[name], value) for name, value in network.state_dict().items())
    assert not flat.with_suffix(".ts").exists()


def test_a_folder_that_cannot_be_made_is_named(model, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"file/run.* cannot be written"):
        BestModelSaver(model.network(), tmp_path / "file" / "run", model).save({}, 1)


def test_a_full_disk_leaves_the_model_that_was_there(model, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    BestModelSaver(model.network(), folder, model).save({}, 1)
    before = {file.name: file.read_bytes() for file in folder.iterdir()}

    def full(*arguments: object, **more: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(json, "dumps", full)
    with pytest.raises(UserError, match="No space left"):
        BestModelSaver(model.network(), folder, model).save({}, 2)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
