"""The measure by which the best weights are chosen, smoothed over validations."""

from __future__ import annotations

from typing import Any

from ignite.engine import Engine, Events

from .metrics import StackMetricHandler

VALIDATIONS = 3  # whose mean is taken


class SmoothedScore:
    """Key metric of an evaluator: the mean of a measure over the last `VALIDATIONS`.

    A score of a few images goes up and down from one validation to the next by more than the weights differ; the mean
    is best where several validations in a row were good. Before there are as many it is the mean of those there are.
    It has a state dict, so that a resumed training goes on with the scores from before.

    Attach it like a metric. The measure itself and its further numbers are in `engine.state.metrics`, too.

    Args:
        handler: of the measure, which is attached by this one.
        measure: name of the measure in `engine.state.metrics`.
    """

    def __init__(self, handler: StackMetricHandler, measure: str) -> None:
        self.handler, self.measure = handler, measure
        self.scores: list[float] = []

    def attach(self, evaluator: Engine, name: str) -> None:
        """Write the mean to `evaluator.state.metrics[name]` at the end of every evaluation."""
        self.handler.attach(evaluator, self.measure)
        evaluator.add_event_handler(Events.EPOCH_COMPLETED, self, name)

    def __call__(self, evaluator: Engine, name: str) -> None:
        score = float(evaluator.state.metrics[self.measure])
        self.scores = [*self.scores, score][-VALIDATIONS:]
        evaluator.state.metrics[name] = sum(self.scores) / len(self.scores)

    def state_dict(self) -> dict[str, Any]:
        """The last scores."""
        return {"scores": self.scores}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the last scores."""
        self.scores = state["scores"]
