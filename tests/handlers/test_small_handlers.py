"""Clipping, divergence, early stopping and pictures."""

from __future__ import annotations

import pytest
import torch
from ignite.engine import Engine
from monai.engines.utils import IterationEvents
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn

from custom.errors import UserError
from custom.handlers import FiniteLoss, GradientClip, ResumableEarlyStop, TrainingPictures
from custom.handlers.pictures import training_strip


def test_the_gradient_of_all_parameters_is_clipped_together():
    network = nn.Linear(3, 2)
    trainer = Engine(lambda engine, batch: None)
    trainer.register_events(*IterationEvents)
    GradientClip(network, max_norm=0.5).attach(trainer)
    for scale, expected in ((10.0, 0.5), (1e-3, None)):
        network.zero_grad()
        (network(torch.ones(1, 3)).sum() * scale).backward()
        before = torch.cat([p.grad.flatten() for p in network.parameters()]).clone()
        trainer.fire_event(IterationEvents.BACKWARD_COMPLETED)
        after = torch.cat([p.grad.flatten() for p in network.parameters()])
        torch.testing.assert_close(after.norm().item(), expected or before.norm().item(), rtol=1e-4, atol=0)
        torch.testing.assert_close(after / after.norm(), before / before.norm())


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_training_that_diverged_ends_before_the_step(loss):
    trainer = Engine(lambda engine, batch: None)
    trainer.register_events(*IterationEvents)
    FiniteLoss().attach(trainer)
    trainer.state.output, trainer.state.iteration = {"loss": torch.tensor(1e30)}, 7
    trainer.fire_event(IterationEvents.LOSS_COMPLETED)
    trainer.state.output = {"loss": torch.tensor(loss)}
    with pytest.raises(UserError, match=f"loss is {loss} in step 7: .* --learning_rate"):
        trainer.fire_event(IterationEvents.LOSS_COMPLETED)


def test_early_stop_counts_on_where_it_was():
    scores = iter([1.0, 0.5, 0.4, 0.3])
    stopped = []
    trainer = Engine(lambda engine, batch: None)
    trainer.terminate = lambda: stopped.append(True)

    def handler() -> ResumableEarlyStop:
        return ResumableEarlyStop(patience=2, score_function=lambda engine: next(scores), trainer=trainer)

    first = handler()
    first(trainer)
    first(trainer)
    second = handler()
    second.load_state_dict(first.state_dict())
    assert not stopped
    second(trainer)
    assert stopped


def test_the_strip_shows_centre_label_weight_and_probability():
    image, probability = torch.rand(1, 12, 14), torch.rand(1, 6, 8)
    label, weight = torch.randint(0, 2, (1, 6, 8)).float(), torch.rand(1, 6, 8) * 11
    label[0, 0, 0] = 255
    parts = training_strip(image, label, weight, probability).split(8, dim=-1)
    assert torch.equal(parts[0], image[:, 3:9, 3:11])
    assert torch.equal(parts[1], label.clamp(max=1))
    assert parts[2].max() == 1
    torch.testing.assert_close(parts[2] * weight.max(), weight)
    assert torch.equal(parts[3], probability)


def test_pictures_reach_tensorboard_at_the_interval(tmp_path):
    batch = [{key: torch.rand(1, 6, 8) for key in ("image", "label", "weight")}]
    trainer = Engine(lambda engine, batch: [{"pred": torch.rand(1, 6, 8)}])
    TrainingPictures(tmp_path, interval=2).attach(trainer)
    trainer.run([batch] * 3, max_epochs=4)
    steps = []
    for file in tmp_path.glob("*.pictures"):
        events = EventAccumulator(str(file)).Reload()
        steps += [event.step for event in events.Images("training: image | label | weight | probability")]
    assert sorted(steps) == [2, 4]
