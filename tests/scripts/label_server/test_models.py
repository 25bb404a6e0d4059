"""A model is packaged for the server once, and not confused with another of its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from custom.errors import UserError
from custom.model import update_model, write_model
from scripts.label_server import models
from tests.models import make_model, shift


@pytest.fixture
def packaged(monkeypatch) -> list[str]:
    """Names of the bundles that were made; making one here is to copy the model."""
    made = []

    def package(model, name: str, output: Path, experiment: str) -> Path:
        made.append(f"{name}: {experiment}")
        write_model(output / name / "models", model, model.state())
        return output / name

    monkeypatch.setattr(models, "package", package)
    return made


def test_a_model_is_packaged_once(packaged, tmp_path):
    make_model(tmp_path / "run", name="cells of 2026-01", authors="")
    first, second = (models.package_model(str(tmp_path / "run"), tmp_path / "app") for _ in range(2))
    assert first == second == str(tmp_path / "app" / "packages" / "unet_cells_of_2026_01")
    assert packaged == ["unet_cells_of_2026_01: quick"]


@pytest.mark.parametrize(("experiment", "by"), [("best_hela", "best_hela"), ("mine", "finetune"), (None, "finetune")])
def test_a_model_is_trained_by_its_experiment_or_one_that_starts_from_a_model(experiment, by, packaged, tmp_path):
    make_model(tmp_path / "run", training={"experiment": experiment} if experiment else {})
    models.package_model(str(tmp_path / "run"), tmp_path / "app")
    assert packaged == [f"unet_tiny: {by}"]


def test_another_model_of_that_name_is_refused(packaged, tmp_path):
    model = make_model(tmp_path / "run")
    models.package_model(str(tmp_path / "run"), tmp_path / "app")
    shift(model)
    with pytest.raises(UserError, match="holds another model of that name"):
        models.package_model(str(tmp_path / "run"), tmp_path / "app")
    assert packaged == ["unet_tiny: quick"]


def test_settings_that_changed_since_are_not_ignored(packaged, tmp_path):
    model = make_model(tmp_path / "run")
    models.package_model(str(tmp_path / "run"), tmp_path / "app")
    model.postprocessing.threshold = 0.3  # as scripts.tune --save stores it, beside the same weights
    update_model(model)
    with pytest.raises(UserError, match="or this one with other settings"):
        models.package_model(str(tmp_path / "run"), tmp_path / "app")


def test_an_unknown_model_is_refused(packaged, tmp_path):
    with pytest.raises(UserError, match="model nowhere"):
        models.package_model("nowhere", tmp_path)
