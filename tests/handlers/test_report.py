"""The report that is rewritten during training, and the pictures for TensorBoard."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from ignite.engine import Engine, Events
from monai.data import MetaTensor
from monai.engines.utils import IterationEvents
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard import SummaryWriter

from custom.data import make_synthetic, read_dataset
from custom.handlers import RunReport, ValidationPictures
from custom.handlers import report as module
from custom.handlers.pictures import MAX_SIDE, validation_strip


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    counts = {"training": 1, "validation": 2}
    return read_dataset(make_synthetic(tmp_path_factory.mktemp("data") / "set", size=(32, 48), counts=counts))


def make_validator(data) -> Engine:
    """Answers as MONAI's evaluator does: decollated lists of dictionaries, one image a batch."""

    def answer(engine, item):
        image = MetaTensor(torch.rand(1, 32, 48), meta={"filename_or_obj": item["image"]})
        label = torch.zeros(1, 32, 48)
        label[:, 4:20, 5:30] = 1
        label[:, :2] = 255
        engine.state.batch = [{"image": image, "label": label}]
        engine.state.output = [{"pred": label.clamp(max=1) * 0.8 + 0.1}]
        engine.fire_event(IterationEvents.MODEL_COMPLETED)
        return engine.state.output

    validator = Engine(answer)
    validator.register_events(*IterationEvents)

    @validator.on(Events.EPOCH_COMPLETED)
    def score():
        validator.state.metrics.update(val_loss=0.5, iou=0.25)
        validator.state.metric_details = {"pixel_error": np.array([0.1, 0.3]), "of_all_processes": np.arange(5)}

    return validator


def make_trainer(data, validator: Engine) -> Engine:
    """Two steps an epoch; validates after each epoch."""
    trainer = Engine(lambda engine, batch: [{"loss": 1.0 / engine.state.iteration}])
    trainer.optimizer = SimpleNamespace(param_groups=[{"lr": 0.125}])

    @trainer.on(Events.EPOCH_COMPLETED)
    def validate():
        # As MONAI's evaluator does: its epoch is that of the trainer.
        validator.state.max_epochs, validator.state.epoch = trainer.state.epoch, trainer.state.epoch - 1
        validator.run(data.validation)

    return trainer


def train(data, folder, epochs: int = 2, **more) -> RunReport:
    validator = make_validator(data)
    trainer = make_trainer(data, validator)
    report = RunReport(folder, validator, data, **more)
    report.attach(trainer)
    trainer.run([0, 0], max_epochs=epochs)
    return report


def test_a_training_that_is_ended_shows_its_last_validation(data, tmp_path):
    validator = make_validator(data)
    trainer = make_trainer(data, validator)
    RunReport(tmp_path, validator, data).attach(trainer)
    # As TimeLimit does.
    trainer.add_event_handler(Events.ITERATION_COMPLETED(once=3), lambda engine: engine.terminate_epoch())
    trainer.add_event_handler(Events.EPOCH_COMPLETED(once=2), lambda engine: engine.terminate())
    trainer.run([0, 0], max_epochs=5)
    assert "images of epoch 2; the training ended with epoch 2" in (tmp_path / "report.html").read_text(
        encoding="utf-8"
    )


def test_a_training_leaves_a_page_with_images_curves_settings_and_command(data, tmp_path):
    train(data, tmp_path, settings={"learning_rate": 0.125})
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    name = data.validation[0]["image"].rsplit("/", 1)[1]
    for words in (name, "ended with epoch 2", "learning_rate", "Loss against steps", "Learning rate against epochs"):
        assert words in page, words
    record = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert record["settings"] == {"learning_rate": 0.125}
    assert record["commands"][0].startswith("python ")


def test_images_have_their_scores_and_the_worst_comes_first(data, tmp_path):
    rows = train(data, tmp_path).table.rows
    assert [row["scores"] for row in rows] == [{"pixel_error": 0.3}, {"pixel_error": 0.1}]
    assert rows[0]["name"] == data.validation[1]["image"].rsplit("/", 1)[1]


def test_the_images_at_the_end_are_those_of_the_last_epoch(data, tmp_path):
    report = train(data, tmp_path, epochs=3)
    assert report.shown_epoch == 3
    assert "images of epoch 3" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_the_threshold_in_use_is_the_one_that_was_fitted(data, tmp_path):
    """The predictions are 0.1 and 0.9, so that 0.05 gives a lower IoU than 0.5, and 0.2 the same."""
    for threshold, advised in ((0.05, True), (0.2, False)):
        validator = make_validator(data)
        fitted = {"seg_threshold": threshold, "pixel_error_threshold": 1 - threshold}
        validator.add_event_handler(Events.EPOCH_COMPLETED, lambda engine, f=fitted: engine.state.metrics.update(f))
        trainer = make_trainer(data, validator)
        RunReport(tmp_path, validator, data, {"best_by": "seg"}).attach(trainer)
        trainer.run([0, 0], max_epochs=1)
        page = (tmp_path / "report.html").read_text(encoding="utf-8")
        assert f"the line at {threshold:.2g}, the threshold in use" in page
        assert ("gives an IoU of" in page) == advised


def test_ignored_pixels_are_no_error(data, tmp_path):
    report = train(data, tmp_path)
    assert [row["wrong"] for row in report.table.rows] == [0, 0]
    assert {row["objects"] for row in report.table.rows} == {1}


def test_a_page_is_written_after_an_epoch_and_not_again_too_soon(data, tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(RunReport, "_write_page", lambda self, trainer, ended: written.append(trainer.state.epoch))
    train(data, tmp_path, epochs=4)
    assert written == [1, 4, 4]
    monkeypatch.setattr(module, "PAUSE", 0)
    monkeypatch.setattr(module, "SHARE", 1e9)
    written.clear()
    train(data, tmp_path, epochs=4)
    assert written == [1, 2, 3, 4, 4]


def test_no_more_images_than_a_page_takes(data, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_IMAGES", 1)
    assert len(train(data, tmp_path).table.rows) == 1


def test_a_page_that_fails_does_not_end_the_training(data, tmp_path, caplog):
    (tmp_path / "report.html").mkdir()
    train(data, tmp_path)
    assert "the training continues" in caplog.text


def test_a_resumed_training_keeps_the_curves_from_before(data, tmp_path):
    with SummaryWriter(tmp_path) as writer:
        for step in (1, 2, 3, 4, 5, 6):
            writer.add_scalar("train_loss", 10 + step, step)
    validator = make_validator(data)
    trainer = make_trainer(data, validator)
    report = RunReport(tmp_path, validator, data)
    report.attach(trainer)

    @trainer.on(Events.STARTED)
    def resume():
        trainer.state.epoch, trainer.state.iteration = 2, 4

    trainer.run([0, 0], max_epochs=3)
    steps, values = report._all_curves()["train_loss"]
    assert steps == [1, 2, 3, 4, 5, 6]
    assert values == pytest.approx([11, 12, 13, 14, 1 / 5, 1 / 6])


def test_validation_pictures_reach_tensorboard_by_epoch(data, tmp_path):
    validator = make_validator(data)
    ValidationPictures(tmp_path).attach(validator)
    for _ in range(2):
        validator.state.max_epochs = None
        validator.run(data.validation, max_epochs=1)
    tags = set()
    for file in tmp_path.iterdir():
        events = EventAccumulator(str(file)).Reload()
        tags |= set(events.Tags()["images"])
        assert [image.step for tag in events.Tags()["images"] for image in events.Images(tag)] == [1, 1]
    assert tags == {f"validation {number}: image | label | probability" for number in (1, 2)}


def test_the_strip_of_a_large_image_is_thinned_out():
    image, label, probability = torch.rand(1, 500, 700), torch.full((1, 500, 700), 255), torch.rand(1, 500, 700)
    strip = validation_strip(image, label, probability)
    assert strip.shape == (1, 167, 3 * 234)
    assert strip.shape[-1] <= 3 * MAX_SIDE
    assert torch.equal(strip[..., :234], image[..., ::3, ::3])
    assert (strip[..., 234:468] == 1).all()
