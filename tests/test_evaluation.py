"""Scores are of labelled pixels of the requested split, and not of an earlier evaluation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from custom.data import make_synthetic, read_dataset
from custom.errors import UserError
from custom.evaluation import clear_scores, labelled_items, require_fitting_data, require_labelled_pixels

from .models import TWO_CHANNELS, make_three_class_model


def test_items_with_labels_of_a_split(tmp_path):
    folder = make_synthetic(tmp_path, 1, (32, 48), {"training": 2, "validation": 1, "test": 2})
    data = read_dataset(folder)
    del data.test[0]["label"]
    assert labelled_items(data, "test") == [data.test[1]]
    del data.test[1]["label"]
    with pytest.raises(UserError, match="--split test: .* names no label for it.* for training, validation$"):
        labelled_items(data, "test")
    with pytest.raises(UserError, match="--split vaildation: no such list"):
        labelled_items(data, "vaildation")


def test_images_of_one_name_would_share_their_results(tmp_path):
    folder = make_synthetic(tmp_path, 1, (32, 48), {"training": 1, "validation": 2})
    data = read_dataset(folder)
    assert len(labelled_items(data, "validation")) == 2
    data.validation[1]["image"] = "/else/" + Path(data.validation[0]["image"]).with_suffix(".tif").name
    with pytest.raises(UserError, match=r"/else/.*\.tif of the validation list would get results of one name"):
        labelled_items(data, "validation")


def test_names_of_the_model_in_another_order_are_refused(tmp_path):
    model = make_three_class_model(tmp_path / "m")
    data = read_dataset(make_synthetic(tmp_path / "data", 1, (32, 48), {"training": 1}, kind="cells"), check=False)
    fitting = replace(data, channel_names=tuple(TWO_CHANNELS), class_names=("ground", "body", "core"))
    require_fitting_data(model, fitting)
    require_fitting_data(model, replace(fitting, channel_names=("a", "b"), class_names=("ground", "cell", "nucleus")))
    swapped = replace(fitting, class_names=("ground", "core", "body"))
    with pytest.raises(UserError, match="names ground, core, body in `labels`, model tiny has ground, body, core"):
        require_fitting_data(model, swapped)
    one_moved = replace(fitting, class_names=("ground", "cytoplasm", "body"))
    with pytest.raises(UserError, match="in `labels`"):
        require_fitting_data(model, one_moved)
    with pytest.raises(UserError, match="names actin µ, DNA in `channels`, model tiny has DNA, actin µ"):
        require_fitting_data(model, replace(fitting, channel_names=tuple(reversed(TWO_CHANNELS))))


def test_labels_that_are_ignored_throughout_are_no_labels():
    ignored, labelled = ({"label": np.full((1, 3, 4), value)} for value in (255, 255))
    with pytest.raises(UserError, match="test: every pixel of its labels is ignored"):
        require_labelled_pixels([ignored, labelled], "test")
    labelled["label"][0, 2, 3] = 0
    require_labelled_pixels([ignored, labelled], "test")


def test_scores_of_an_earlier_evaluation_go_and_other_files_stay(tmp_path):
    for name in ("metrics.csv", "iou_raw.csv", "notes.csv"):
        (tmp_path / name).write_text("1")
    clear_scores(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["notes.csv"]
    clear_scores(tmp_path / "new")
    assert not (tmp_path / "new").exists()
