"""The overlay that validates and saves an exponential moving average of the weights."""

from __future__ import annotations

import json

import torch

from tests.models import make_model

from .conftest import CONFIGS, run, train_tiny, weights

OVERLAY = CONFIGS / "ablations" / "best_averaged_weights.json"


def test_the_average_is_what_is_saved_and_a_resumed_run_continues_it(tiny_dataset, tmp_path):
    plateau = tmp_path / "plateau.json"  # a schedule that does not depend on the number of epochs
    other = {"lr_scheduler": "@schedules#plateau", "max_norm": None, "best_by": "v_rand"}
    plateau.write_text(json.dumps(other))
    overlays = [OVERLAY, plateau]
    for folder, epochs, resume in (("whole", 2, "false"), ("halves", 1, "false"), ("halves", 2, "true")):
        done = run(train_tiny(tiny_dataset, tmp_path / folder, overlays, max_epochs=epochs, resume=resume))
        assert done.returncode == 0, done.stderr
        if epochs == 1:
            saved = weights(tmp_path / folder / "weights.safetensors")
            average = weights(tmp_path / folder / "checkpoint.pt")["average"]
            assert all(torch.equal(value, saved[name]) for name, value in average.items())
    whole, halves = (weights(tmp_path / folder / "checkpoint.pt") for folder in ("whole", "halves"))
    for part in ("network", "average"):
        assert all(torch.equal(value, halves[part][name]) for name, value in whole[part].items())
    assert any(not torch.equal(value, whole["network"][name]) for name, value in whole["average"].items())
    assert len(whole["smoothed_score"]["scores"]) == 2
    for part in ("smoothed_score", "evaluator"):
        assert whole[part] == halves[part]
    best = [weights(tmp_path / folder / "weights.safetensors") for folder in ("whole", "halves")]
    assert all(torch.equal(value, best[1][name]) for name, value in best[0].items())


def test_the_average_starts_from_the_model_that_training_starts_from(tiny_dataset, tmp_path):
    """With nearly no momentum the average stays what it began with."""
    torch.manual_seed(5)
    model = make_model(tmp_path / "model", features=4, depth=2)
    still = tmp_path / "still.json"
    still.write_text(json.dumps({"average_momentum": 1e-12}))
    line = train_tiny(tiny_dataset, tmp_path / "run", [OVERLAY, still], max_epochs=1, init_model=model.folder)
    done = run(line)
    assert done.returncode == 0, done.stderr
    checkpoint, start = weights(tmp_path / "run" / "checkpoint.pt"), model.state()
    for name, value in start.items():
        torch.testing.assert_close(checkpoint["average"][name], value, rtol=0, atol=1e-6)
    assert any((checkpoint["network"][name] - value).abs().max() > 1e-4 for name, value in start.items())
