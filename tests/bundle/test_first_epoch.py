"""A training that is interrupted before its first checkpoint of an epoch continues as if it had not been."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from custom.handlers import FiniteLoss

from ..robustness.material import dataset, tiny_model
from ..robustness.warm import call
from .conftest import weights

TINY: dict[str, object] = {
    "input_size": 44,
    "max_epochs": 2,
    "steps_per_epoch": 3,
    "batch_size": 1,
    "val_interval": 1,
    "bfloat16": "false",
}
SCRATCH = {"network_def#depth": 1, "network_def#features": 2}
RUNS: dict[str, tuple[str, dict[str, object]]] = {
    "with an average of the weights": ("training", {**SCRATCH, "average_momentum": 0.5}),
    "with one cycle of the learning rate": ("training", {**SCRATCH, "lr_scheduler": "@schedules#one_cycle"}),
    "from a model": ("finetuning", {}),
}


def interrupt_in_step(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = []

    def checked(self: FiniteLoss, engine: object) -> None:
        steps.append(engine)
        if len(steps) == number:
            raise KeyboardInterrupt

    monkeypatch.setattr(FiniteLoss, "__call__", checked)


@pytest.mark.parametrize("run", RUNS)
def test_it_is_the_uninterrupted_run(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command, options = RUNS[run]
    options = {**TINY, **options, **({"init_model": tiny_model()} if command == "finetuning" else {})}
    assert call(command, dataset_dir=dataset(), output_dir=tmp_path / "whole", **options).code == 0
    interrupt_in_step(2, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        call(command, dataset_dir=dataset(), output_dir=tmp_path / "halves", **options)
    monkeypatch.undo()
    again = call(command, dataset_dir=dataset(), output_dir=tmp_path / "halves", resume="true", **options)
    assert again.code == 0, str(again)
    whole, halves = (weights(tmp_path / name / "checkpoint.pt") for name in ("whole", "halves"))
    assert whole["trainer"] == halves["trainer"] == {"epoch": 2, "iteration": 6, "max_epochs": 2}
    assert whole["evaluator"] == halves["evaluator"]
    for name in ("network", *(["average"] if "average" in whole else [])):
        assert all(torch.equal(whole[name][key], halves[name][key]) for key in whole[name])
    models = [weights(tmp_path / name / "weights.safetensors") for name in ("whole", "halves")]
    assert all(torch.equal(models[0][key], models[1][key]) for key in models[0])
