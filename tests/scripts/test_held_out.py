from __future__ import annotations

import numpy as np
import pytest

from custom.data import write_dataset, write_image
from custom.errors import UserError
from scripts.held_out import read_examples


@pytest.fixture
def dataset(tmp_path):
    random = np.random.RandomState(0)
    pixels = random.randint(0, 255, (40, 61)).astype(np.uint8)
    cells = np.zeros((40, 61), np.uint16)
    cells[5:20, 5:30], cells[25:38, 30:60], cells[0] = 3, 9, 65535
    for name, image in {"a": pixels, "b": pixels[::-1]}.items():
        write_image(tmp_path / f"{name}.png", image)
        write_image(tmp_path / f"{name}_label.png", cells)
    held_out, trained = ([{"image": f"{name}.png", "label": f"{name}_label.png"}] for name in "ab")
    lists = {"training": trained, "validation": held_out}
    labels = {"0": "background", ">0": "cell"}
    about = {"name": "x", "description": "", "licence": "", "reference": "", "channel": ""}
    write_dataset(tmp_path, about, "instances", labels, lists, ignore_value=65535)
    return tmp_path


def test_examples_have_what_the_files_have(dataset):
    (example,) = read_examples(dataset, "validation")
    assert example.name == "a"
    assert example.pixels.dtype == np.uint8
    assert set(np.unique(example.instances)) == {-1, 0, 3, 9}
    np.testing.assert_array_equal(example.label == 255, example.instances == -1)
    np.testing.assert_array_equal(example.label == 1, example.instances > 0)


def test_an_empty_split_is_named(dataset):
    with pytest.raises(UserError, match="`test`"):
        read_examples(dataset, "test")
