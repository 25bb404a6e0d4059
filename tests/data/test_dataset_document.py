"""The example and the rules of `docs/dataset.md` agree with the code."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np

from custom.data import read_dataset, write_channels, write_image
from custom.data.pairs import LABEL_ENDINGS

TEXT = (Path(__file__).parents[2] / "docs" / "dataset.md").read_text(encoding="utf-8")


def test_the_example_is_a_data_set(tmp_path: Path) -> None:
    example = re.search(r"```json\n(.*?)```", TEXT, re.DOTALL)
    assert example is not None
    content = json.loads(example[1])
    (tmp_path / "dataset.json").write_text(example[1], encoding="utf-8")
    generator = np.random.default_rng(0)
    for split in ("training", "validation", "test"):
        for item in content[split]:
            write_image(tmp_path / item["image"], generator.integers(0, 255, (20, 31), dtype=np.uint8))
            if "label" in item:
                values = np.array([*map(int, content["labels"]), content["ignore_value"]], np.uint8)
                write_image(tmp_path / item["label"], generator.choice(values, (20, 31)))
    dataset = read_dataset(tmp_path)
    assert dataset.label_format.values == (0, 255)
    assert dataset.label_format.ignore == 128
    assert set(content) == set(re.findall(r"^\| `(\w+)", TEXT, re.MULTILINE)) - {"channels", "axes"} | {
        "licence",
        "reference",
        "channel",
    }


def test_the_example_of_channels(tmp_path: Path) -> None:
    example = re.search(r'^"channels": .*$', TEXT, re.MULTILINE)
    assert example is not None
    planes = np.random.default_rng(0).integers(0, 255, (3, 20, 31), dtype=np.uint8)
    write_channels(tmp_path / "a.tif", planes, "abc")
    write_image(tmp_path / "a.png", planes[0] % 2)
    content = {"name": "x", "label_kind": "classes", "labels": {"0": "a", "1": "b"}, "validation": []}
    content |= {"training": [{"image": "a.tif", "label": "a.png"}]}
    (tmp_path / "dataset.json").write_text(json.dumps({**content, **json.loads(f"{{{example[0]}}}")}))
    assert read_dataset(tmp_path).channel_names == ("DNA", "actin")


def test_the_endings_are_named() -> None:
    assert all(f"`{ending}`" in TEXT for ending in LABEL_ENDINGS)
