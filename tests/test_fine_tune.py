"""A training can start from a model, and its result is never worse by validation."""

from __future__ import annotations

import json
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Engine, Events
from monai.bundle import ConfigParser

from custom.data import make_synthetic
from custom.errors import UserError
from custom.fine_tune import StartFromModel, method_from, network_from, state_for
from custom.model import Postprocessing, Score, read_model
from custom.networks import ValidUNet

from .models import make_contact_model, make_model, make_three_class_model
from .robustness.warm import call

TWO = ("background", "cell")
TRAIN = Path(__file__).parents[1] / "bundle" / "configs" / "train.json"


class Evaluator(Engine):
    """Scores as listed, the smaller the better, with MONAI's memory of the best."""

    state: Any

    def __init__(self, scores: list[float]) -> None:
        super().__init__(lambda engine, batch: None)
        self.scores, self.epochs = scores, []
        self.state.best_metric, self.state.best_metric_epoch = 9.0, -1
        self.add_event_handler(Events.EPOCH_COMPLETED, self.rate)

    def run(self, epoch: int) -> None:  # type: ignore[override]
        self.state.max_epochs, self.state.epoch, self.state.iteration = epoch, epoch - 1, 0
        super().run([0], max_epochs=epoch)

    def rate(self) -> None:
        score = self.scores.pop(0)
        self.epochs.append(self.state.epoch)
        self.state.metrics = {"pixel_error": score, "seg": 1 - score, "val_loss": 0.5}
        if score < self.state.best_metric:
            self.state.best_metric, self.state.best_metric_epoch = score, self.state.epoch


def train(start: StartFromModel, scores: list[float], epochs: int, resumed_after: int = 0) -> Evaluator:
    evaluator, trainer = Evaluator(scores), Engine(lambda engine, batch: None)
    start.attach(trainer, evaluator, images=1)
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda engine: evaluator.run(engine.state.epoch))
    if resumed_after:
        trainer.load_state_dict({"epoch_length": 1, "max_epochs": epochs, "iteration": resumed_after})
    trainer.run([0], max_epochs=epochs)
    return evaluator


def test_the_weights_are_those_of_the_model(tmp_path):
    model = make_model(tmp_path)
    network = network_from(model, 2)
    StartFromModel(network, tmp_path, TWO)
    assert all(torch.equal(value, model.state()[name]) for name, value in network.state_dict().items())


def test_objects_are_found_as_the_model_finds_them_but_small_ones_stay(tmp_path):
    way = {"method": "watershed", "sigma": 1.5, "height": 7.0, "grow": 2}
    model = make_model(tmp_path, postprocessing=Postprocessing(**way, min_size=454))
    data = make_synthetic(tmp_path / "data", size=(48, 60), counts={"training": 1})
    parser = ConfigParser(ConfigParser.load_config_files([TRAIN, TRAIN.parent / "experiments" / "finetune.json"]))
    parser.update({"init_model": str(model.folder), "contact": False, "dataset_dir": str(data)})
    assert {name: parser.get_parsed_content(name) for name in way} == way
    assert parser.get_parsed_content("min_size") == 0, "the smallest cell of one recording may be large in another"


def test_contact_that_is_not_learned_is_divided_by_the_watershed(tmp_path):
    by_contact = {"postprocessing": Postprocessing(method="contact")}
    model = make_contact_model(tmp_path).model_copy(update=by_contact)
    assert [method_from(model, learned, instances=True) for learned in (True, False)] == ["contact", "watershed"]


@pytest.mark.parametrize("method", ["components", "watershed"])
@pytest.mark.parametrize(
    ("measure", "instances", "kept"), [("v_rand", True, False), ("v_rand", False, True), ("seg", True, True)]
)
def test_a_model_of_classes_does_not_say_how_instances_are_divided(method, measure, instances, kept, tmp_path):
    scores = [Score(measure=measure, value=0.9, on="somewhere")]
    model = make_model(tmp_path, postprocessing=Postprocessing(method=method), scores=scores)
    assert method_from(model, False, instances) == (method if kept else "watershed")


def test_without_a_model_nothing_is_loaded():
    torch.manual_seed(0)
    network = ValidUNet(features=2, depth=1)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    start = StartFromModel(network, None)
    assert train(start, [0.3, 0.2], epochs=2).scores == []
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_a_last_layer_of_other_classes_is_replaced_and_said(tmp_path, caplog):
    model = make_model(tmp_path)
    network = network_from(model, 3)
    assert network(torch.zeros(1, 1, 20, 24)).shape[1] == 3
    before = network.classify.weight.clone()
    StartFromModel(network, tmp_path, ("background", "cell", "nucleus"))
    assert torch.equal(network.classify.weight, before)
    assert torch.equal(network.down[0][0].weight, model.state()["down.0.0.weight"])
    assert "other classes" in caplog.text


@pytest.mark.parametrize("make", [make_three_class_model, make_contact_model])
def test_outputs_follow_the_names_of_the_classes(tmp_path, make):
    model = make(tmp_path)
    image = torch.rand(1, len(model.channels), 20, 28)
    known = dict(zip(model.output_names, model.network()(image)[0], strict=True))
    for names in permutations(model.output_names):
        network = network_from(model, 3, len(model.channels)).eval()
        StartFromModel(network, tmp_path, names)
        for name, found in zip(names, network(image)[0], strict=True):
            torch.testing.assert_close(found, known[name])


@pytest.mark.parametrize("names", [("ground", "cell"), ("cell", "cell")])
def test_other_names_keep_their_place(tmp_path, names):
    model = make_model(tmp_path)
    assert torch.equal(state_for(model, names)["classify.bias"], model.state()["classify.bias"])


def test_the_order_is_that_of_the_data_set(tmp_path):
    model = make_model(tmp_path / "model")
    data = make_synthetic(tmp_path / "data", size=(48, 60), counts={"training": 1})
    document = json.loads((data / "dataset.json").read_text())
    document |= {"label_kind": "classes", "labels": {"255": "cell", "0": "background"}, "ignore_value": 128}
    (data / "dataset.json").write_text(json.dumps(document))
    parser = ConfigParser(ConfigParser.load_config_files([TRAIN, TRAIN.parent / "experiments" / "finetune.json"]))
    parser.update({"init_model": str(model.folder), "listed": f"$custom.data.read_dataset({str(data)!r}, check=False)"})
    network = parser.get_parsed_content("start").network
    assert torch.equal(network.classify.bias.cpu(), model.state()["classify.bias"].flip(0))


def test_another_order_is_refused_where_the_last_layer_is_not_known(tmp_path):
    inner = {"_target_": "UNet", "spatial_dims": 2, "in_channels": 1, "out_channels": 2, "channels": [2, 4]}
    wrapped = {"_target_": "SamePaddingNetwork", "divisor": 2, "halo": 4, "network": {**inner, "strides": [2]}}
    model = make_model(tmp_path, network_def=wrapped)
    StartFromModel(network_from(model, 2), tmp_path, TWO)
    with pytest.raises(UserError, match=r"its classes are background, cell, those of the data set cell, background;"):
        StartFromModel(network_from(model, 2), tmp_path, TWO[::-1])


def test_another_network_is_refused(tmp_path):
    make_model(tmp_path, features=2)
    with pytest.raises(UserError, match="does not fit the network"):
        StartFromModel(ValidUNet(features=3, depth=1), tmp_path, TWO)


def test_an_unknown_model_is_refused():
    with pytest.raises(UserError, match="model nowhere"):
        StartFromModel(ValidUNet(features=2, depth=1), "nowhere")


def test_a_training_that_makes_it_worse_says_so(tmp_path, caplog):
    make_model(tmp_path)
    start = StartFromModel(ValidUNet(features=2, depth=1), tmp_path, TWO)
    with caplog.at_level("INFO"):
        evaluator = train(start, [0.1, 0.3, 0.2], epochs=2)
    assert "the initial model tiny: pixel error 0.1000, SEG 0.9000, validation loss 0.5000" in caplog.text
    assert (evaluator.state.best_metric, evaluator.state.best_metric_epoch) == (0.1, 0)
    assert evaluator.epochs == [0, 1, 2]  # in curves and in model.json, too
    assert "no epoch scored better than the initial model tiny" in caplog.text


def test_a_training_that_makes_it_better_says_nothing(tmp_path, caplog):
    make_model(tmp_path)
    evaluator = train(StartFromModel(ValidUNet(features=2, depth=1), tmp_path, TWO), [0.3, 0.4, 0.2], epochs=2)
    assert evaluator.state.best_metric_epoch == 2
    assert "no epoch" not in caplog.text


def test_a_resumed_training_is_not_scored_again(tmp_path):
    make_model(tmp_path)
    start = StartFromModel(ValidUNet(features=2, depth=1), tmp_path, TWO)
    assert train(start, [0.2], epochs=2, resumed_after=1).scores == []


@pytest.mark.parametrize(("method", "threshold"), [("watershed", 0.3), ("components", 0.5)])
def test_without_validation_images_the_threshold_is_that_of_the_model(method, threshold, tmp_path):
    fitted = Postprocessing(method="watershed", threshold=0.3, fitted_on="five images")
    model = make_model(tmp_path / "model", postprocessing=fitted)
    data = make_synthetic(tmp_path / "data", size=(48, 60), counts={"training": 2})
    short = {"max_epochs": 1, "steps_per_epoch": 1, "input_size": 44, "bfloat16": "false", "method": method}
    done = call("finetuning", dataset_dir=data, init_model=model.folder, output_dir=tmp_path / "run", **short)
    assert done.code == 0, str(done)
    found = read_model(tmp_path / "run").postprocessing
    assert (found.method, found.threshold) == (method, threshold)
    assert found.fitted_on == ("five images" if threshold == 0.3 else None)
