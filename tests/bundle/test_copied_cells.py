"""A training that copies cells of other images beside those of an image."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from custom.model import read_model
from custom.transforms import RandCopyCellsd
from tests.robustness.calls import TINY
from tests.robustness.warm import call

SIZE = (64, 92)
OPTIONS = {**TINY, "steps_per_epoch": 4, "class_weights": 1, "lr_scheduler": "@schedules#plateau"}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    """One disc in each image, so that no cells touch."""
    folder = tmp_path_factory.mktemp("data")
    items = []
    rows, columns = np.indices(SIZE)
    for number in range(4):
        disc = (rows - 28) ** 2 + (columns - 30 - 8 * number) ** 2 < (8 + number) ** 2
        gray = np.where(disc, 180, 40) + np.random.default_rng(number).integers(0, 30, SIZE)
        items.append({key: f"{key}_{number}.png" for key in ("image", "label")})
        Image.fromarray(gray.astype(np.uint8)).save(folder / items[-1]["image"])
        Image.fromarray(disc.astype(np.uint8)).save(folder / items[-1]["label"])
    about = {"name": "discs", "label_kind": "instances", "labels": {"0": "background", ">0": "cell"}}
    splits = {"training": items[:3], "validation": items[3:]}
    (folder / "dataset.json").write_text(json.dumps({**about, **splits}))
    return folder


def train(dataset: Path, output: Path, **options):
    return call("training", dataset_dir=dataset, output_dir=output, **{**OPTIONS, **options})


def test_copies_are_made_and_recorded(dataset, tmp_path, monkeypatch):
    made = []
    annotate = RandCopyCellsd.__call__

    def count(self, data):
        item = annotate(self, data)
        made.append(len(np.unique(item["instance"])) - len(np.unique(data["instance"])))
        assert set(np.unique(item["label"])) <= {0, 1}
        return item

    monkeypatch.setattr(RandCopyCellsd, "__call__", count)
    done = train(dataset, tmp_path / "copied", copied_cells=1)
    assert done.code == 0, str(done)
    assert max(made) > 0
    assert read_model(tmp_path / "copied").training["copied_cells"] == 1
    made.clear()
    done = train(dataset, tmp_path / "plain")
    assert done.code == 0, str(done)
    assert not made
    assert read_model(tmp_path / "plain").training["copied_cells"] == 0


def test_a_resumed_training_draws_the_same_copies(dataset, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert train(dataset, whole, copied_cells=0.5).code == 0
    assert train(dataset, parts, copied_cells=0.5, max_epochs=1).code == 0
    done = train(dataset, parts, copied_cells=0.5, resume="true")
    assert done.code == 0, str(done)
    trained = [torch.load(folder / "checkpoint.pt", weights_only=True)["network"] for folder in (whole, parts)]
    assert all(torch.equal(value, trained[1][name]) for name, value in trained[0].items())


def test_labels_that_are_classes_are_refused(dataset, tmp_path):
    content = json.loads((dataset / "dataset.json").read_text())
    content |= {"label_kind": "classes", "labels": {"0": "background", "1": "cell"}}
    for split in ("training", "validation"):
        content[split] = [{key: str(dataset / path) for key, path in item.items()} for item in content[split]]
    (tmp_path / "dataset.json").write_text(json.dumps(content))
    done = train(tmp_path, tmp_path / "run", copied_cells=0.5)
    assert done.code == 2
    assert "--copied_cells 0.5: the labels of" in str(done)
    assert not (tmp_path / "run").exists()
