"""Settings that must be the same when a training is resumed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from monai.bundle import ConfigParser

from custom.data import make_synthetic, read_dataset, write_image
from custom.errors import UserError
from custom.run_settings import differences, require_class_weights, require_classes, require_validation

ROOT = Path(__file__).parents[1]
CONFIG = {
    "imports": ["$import custom"],
    "data": "$custom.data.read_dataset(@dataset_dir)",
    "settings": "$custom.run_settings.training_settings(@data)",
    "seed": 1,
    "max_epochs": 2,
    "output_dir": "out",
    "network_def": {"features": "@features", "up": "transposed"},
    "features": 4,
    "train": {"handlers": [{"interval": 1}], "window": {"mode": ["linear"], "sigma": 10}},
}


@pytest.fixture
def dataset(tmp_path) -> Path:
    return make_synthetic(tmp_path / "data", 1, (48, 64), {"training": 2, "validation": 1, "test": 1})


def settings(dataset: Path, **overrides) -> str:
    parser = ConfigParser(json.loads(json.dumps(CONFIG)))
    parser.update({"dataset_dir": str(dataset), **overrides})
    return parser.get_parsed_content("settings")


def test_settings_of_the_steps_are_compared_at_any_depth(dataset):
    before = settings(dataset)
    assert differences(before, settings(dataset)) == []
    changed = {"seed": 2, "network_def#up": "upsample", "train#window#mode": ["nearest"], "train#window#sigma": 10.0}
    assert differences(before, settings(dataset, **changed)) == [
        'network_def#up: "transposed", now "upsample"',
        "seed: 1, now 2",
        'train#window#mode: ["linear"], now ["nearest"]',
    ]


@pytest.mark.parametrize(
    ("id", "value"),
    [
        ("seed", 3),
        ("input_size", 188),
        ("learning_rate", 0.01),
        ("batch_size", 3),
        ("class_weights", [1, 2]),
        ("dataset_dir", ""),
    ],
)
def test_what_changes_the_steps_of_the_shipped_training_is_named(dataset, tmp_path, id, value):
    """Each was once taken by --resume without a word."""

    def settings_of(**overrides) -> str:
        parser = ConfigParser(ConfigParser.load_config_file(ROOT / "bundle" / "configs" / "train.json"))
        parser.update({"dataset_dir": str(dataset), **overrides})
        return parser.get_parsed_content("checkpoint#settings")

    other = make_synthetic(tmp_path / "other", 2, (48, 64), {"training": 2, "validation": 1, "test": 1})
    found = differences(settings_of(), settings_of(**{id: value or str(other)}))
    assert [line.partition(":")[0] for line in found] == (
        [id] if value else ["other training images", "other validation images"]
    )


def test_a_checkpoint_of_another_version_is_told_by_the_ids_alone():
    """As when the network began to follow the data: a long list that differs only at its end is not shown."""
    steps = [{"_target_": "Activationsd", "keys": "pred", "softmax": True}]
    before = json.dumps({"network_def#in_channels": 1, "post": [*steps, {"_target_": "Lambdad"}]})
    now = json.dumps({"network_def#in_channels": "$len(@data.channel_names)", "post": steps * 2})
    assert differences(before, now) == [
        'network_def#in_channels: 1, now "$len(@data.channel_names)"',
        "other post",
    ]


def test_what_does_not_change_the_steps_is_free(dataset):
    free = {"max_epochs": 9, "output_dir": "elsewhere", "train#handlers": [], "time_limit": 5, "val_interval": 3}
    assert differences(settings(dataset), settings(dataset, **free)) == []


def test_images_are_compared_by_name_and_size_wherever_they_are(dataset, tmp_path):
    before = settings(dataset)
    moved = dataset.rename(tmp_path / "moved")
    assert differences(before, settings(moved)) == []
    label = moved / json.loads((moved / "dataset.json").read_text())["validation"][0]["label"]
    label.write_bytes(label.read_bytes() + b" ")
    assert differences(before, settings(moved)) == ["other validation images"]


def test_a_schedule_that_follows_the_validation_needs_one(dataset):
    content = json.loads((dataset / "dataset.json").read_text())
    (dataset / "dataset.json").write_text(json.dumps({**content, "validation": []}))
    data = read_dataset(dataset)
    with pytest.warns(UserWarning, match="no validation images: .* no score"):
        require_validation(data, plateau=False)
    with pytest.raises(UserError, match="`validation` list is empty.*schedules#one_cycle"):
        require_validation(data, plateau=True)


def fill_labels(dataset: Path, split: str, value: int) -> None:
    content = json.loads((dataset / "dataset.json").read_text())
    (dataset / "dataset.json").write_text(json.dumps({**content, "ignore_value": 7}))
    for item in content[split]:
        write_image(dataset / item["label"], np.full((48, 64), value, np.uint8))


def test_labels_of_one_class(dataset, recwarn):
    require_classes(read_dataset(dataset))
    require_classes(read_dataset(dataset, check=False))
    fill_labels(dataset, "validation", 0)
    with pytest.raises(UserError, match="the labels of `validation` hold the class 'membrane' alone"):
        require_classes(read_dataset(dataset))
    require_classes(read_dataset(dataset).all_in_training())
    assert not recwarn.list
    fill_labels(dataset, "training", 255)
    with pytest.warns(UserWarning, match="no label of `training` holds membrane: it is not learned"):
        require_classes(replace(data := read_dataset(dataset), seen={**data.seen, "validation": frozenset()}))
    fill_labels(dataset, "training", 7)
    with pytest.raises(UserError, match="every pixel of the labels of `training` is ignored"):
        require_classes(read_dataset(dataset))


def test_a_list_of_class_weights_has_one_for_each_class_and_for_contact(dataset):
    data = read_dataset(dataset)
    for weights, contact in ((None, True), (2.0, True), ([1, 2], False), ([1, 2, 3], True)):
        require_class_weights(weights, data, contact)
    for weights, contact, names in (([1, 2], True, "membrane, cell, contact"), ([1, 2, 3], False, "membrane, cell")):
        message = rf"^--class_weights .*: are {len(weights)} weights, .*dataset.json needs .* \({names}\); give one"
        with pytest.raises(UserError, match=message):
            require_class_weights(weights, data, contact)
