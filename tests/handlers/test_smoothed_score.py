"""The weights that are saved are those after several good validations, not after a lucky one."""

from __future__ import annotations

import pytest
from ignite.engine import Engine, Events
from monai.engines import SupervisedEvaluator
from torch import nn

from custom.handlers import BestModelSaver, SmoothedScore
from custom.model import read_model
from tests.models import make_model

SCORES = [0.4, 0.9, 0.4, 0.7, 0.8, 0.8, 0.6]
MEANS = [0.4, 0.65, 1.7 / 3, 2 / 3, 1.9 / 3, 2.3 / 3, 2.2 / 3]


class MadeUp:
    """Stands for the handler of a measure; the score of each epoch is given."""

    def attach(self, evaluator: Engine, name: str) -> None:
        evaluator.add_event_handler(Events.EPOCH_COMPLETED, self, name)

    def __call__(self, evaluator: Engine, name: str) -> None:
        epoch = evaluator.state.epoch
        evaluator.state.metrics |= {name: SCORES[epoch - 1], f"{name}_threshold": epoch / 10, "pixel_error": 0.1}


def evaluator(smoothed: SmoothedScore, *handlers: BestModelSaver) -> SupervisedEvaluator:
    return SupervisedEvaluator(
        device="cpu",
        val_data_loader=[{"image": None}],
        network=nn.Identity(),
        iteration_update=lambda engine, batch: {},
        decollate=False,
        key_val_metric={"smoothed_score": smoothed},
        metric_cmp_fn=lambda current, best: current > best,
        val_handlers=handlers,
    )


def test_the_epoch_with_the_best_mean_is_saved_with_its_own_threshold(tmp_path):
    model = make_model(tmp_path / "described", training={"validation_images": 2})
    saver = BestModelSaver(model.network(), tmp_path / "run", model, best_by="seg")
    validator, saved = evaluator(SmoothedScore(MadeUp(), "seg"), saver), []
    for epoch in range(1, 8):
        validator.run(epoch)
        saved.append(read_model(tmp_path / "run").training["epoch"])
        assert validator.state.metrics["smoothed_score"] == pytest.approx(MEANS[epoch - 1], abs=1e-12)
    assert saved == [1, 2, 2, 4, 4, 6, 6]
    best = read_model(tmp_path / "run")
    assert best.postprocessing.threshold == 0.6
    assert best.postprocessing.fitted_on == "SEG on 2 validation images of A tiny data set, one pass"
    assert [(score.measure, score.value) for score in best.scores] == [("seg", 0.8), ("pixel_error", 0.1)]
    where = "2 validation images of A tiny data set, one pass"
    chosen = "; the weights were chosen by it, as the mean of up to 3 validations"
    assert [score.on for score in best.scores] == [where + chosen, where]


@pytest.mark.parametrize("epochs_before", range(1, 7))
def test_a_resumed_training_goes_on_with_the_scores_from_before(epochs_before):
    first = SmoothedScore(MadeUp(), "v_rand")
    validator = evaluator(first)
    for epoch in range(1, epochs_before + 1):
        validator.run(epoch)
    second = SmoothedScore(MadeUp(), "v_rand")
    second.load_state_dict(first.state_dict())
    validator = evaluator(second)
    means = []
    for epoch in range(epochs_before + 1, 8):
        validator.run(epoch)
        means.append(validator.state.metrics["smoothed_score"])
    assert means == pytest.approx(MEANS[epochs_before:], abs=1e-12)
    assert second.state_dict() == {"scores": SCORES[-3:]}
