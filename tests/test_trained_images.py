"""A model that is scored on images that it was trained on is recognised by their pixels."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from custom.data import make_synthetic, read_dataset, read_image, write_image
from custom.model import read_model
from custom.trained_images import RECORD, record, warn_of_trained_images
from tests.models import make_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_synthetic(tmp_path / "data", 1, (32, 48), {"training": 3, "validation": 2, "test": 1})


def test_another_split_of_the_same_images(tmp_path, folder):
    model = make_model(tmp_path / "m", training={RECORD: record(read_dataset(folder), None)})
    shutil.copytree(folder, tmp_path / "again")
    image = tmp_path / "again" / "training" / "image"
    first = sorted(image.iterdir())[0]
    write_image(first.with_suffix(".tif"), read_image(first))  # another format and name, the same pixels
    document = (tmp_path / "again" / "dataset.json").read_text()
    swapped = document.replace('"training":', '"other":').replace('"validation":', '"training":')
    swapped = swapped.replace('"other":', '"validation":').replace(first.name, first.with_suffix(".tif").name, 1)
    (tmp_path / "again" / "dataset.json").write_text(swapped)
    for check in (True, False):
        data = read_dataset(tmp_path / "again", check=check)
        with pytest.warns(UserWarning, match="was trained on 3 of the 3 validation images: scores on images"):
            assert warn_of_trained_images(model, data, "validation")


def test_held_out_images_and_those_for_training_pass(tmp_path, folder, recwarn):
    data = read_dataset(folder)
    model = make_model(tmp_path / "m", training={"validation_images": 0, RECORD: record(data, None)})
    assert not any(warn_of_trained_images(model, data, split) for split in ("training", "validation", "test"))
    assert not recwarn.list


def test_the_images_of_the_initial_model_are_kept(tmp_path, folder):
    data = read_dataset(folder)
    initial = make_model(tmp_path / "m", training={RECORD: ["0" * 12]})
    assert record(data, initial) == sorted([*record(data, None), "0" * 12])
    assert len(record(data, make_model(tmp_path / "n"))) == len(data.training)


def test_constant_images_are_not_recorded(folder):
    data = read_dataset(folder)
    write_image(data.training[0]["image"], np.zeros((32, 48), np.uint8))
    assert len(record(read_dataset(folder), None)) == 2


def test_models_without_a_record_go_by_the_name_of_their_data(tmp_path, folder, recwarn):
    data = read_dataset(folder)
    final = make_model(tmp_path / "m", data_source=data.about["name"], training={"validation_images": 0})
    fold = final.model_copy(update={"training": {"validation_images": 1}})
    other = final.model_copy(update={"data_source": "others"})
    judged = [(fold, "validation"), (other, "validation"), (final, "test")]
    assert not any(warn_of_trained_images(model, data, split) for model, split in judged)
    assert not recwarn.list
    with pytest.warns(UserWarning, match=f"model tiny held out no image of {data.about['name']}: scores on images"):
        assert warn_of_trained_images(final, data, "validation")


@pytest.mark.parametrize(
    ("name", "images"),
    [
        ("em", "isbi2012/train/image/*.png"),
        ("dic_hela", "DIC-C2DH-HeLa/01/*.tif"),
        ("phc_u373", "PhC-C2DH-U373/01/*.tif"),
    ],
)
def test_shipped_models_know_their_images(real_data, folder, name, images):
    data, model = read_dataset(folder), read_model(name)
    items = [{"image": str(file)} for file in sorted(real_data.glob(images))]
    assert record(replace(data, training=items), None) == model.training[RECORD]
    with pytest.warns(UserWarning, match=f"model {name} was trained on 2 of the 2 validation images"):
        assert warn_of_trained_images(model, replace(data, validation=items[-2:]), "validation")
