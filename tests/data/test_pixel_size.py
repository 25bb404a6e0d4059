"""The pixel size that files state, and the warning where it is not the model's."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from custom.data import find_images, read_dataset, write_image
from custom.data.pixel_size import in_micrometres, stated_pixel_size
from custom.errors import UserError

IMAGE = np.zeros((20, 30), np.uint8)


def stating(path: Path, size: float) -> Path:
    """An image of ImageJ with pixels of `size` micrometres."""
    tifffile.imwrite(path, IMAGE, imagej=True, resolution=(1 / size, 1 / size), metadata={"unit": "um"})
    return path


def test_only_files_that_say_it_have_one(tmp_path):
    assert stated_pixel_size(stating(tmp_path / "a.tif", 0.125)) == pytest.approx(0.125)
    tifffile.imwrite(tmp_path / "plain.tif", IMAGE, resolution=(72, 72), resolutionunit="inch")
    assert stated_pixel_size(tmp_path / "plain.tif") is None
    write_image(tmp_path / "a.png", IMAGE)
    assert stated_pixel_size(tmp_path / "a.png") is None


@pytest.mark.parametrize(
    ("scale", "unit", "expected"),
    [
        ((50.0, 4.0, 4.0), "nanometer", 0.004),
        ((0.5, 0.5), "micrometer", 0.5),
        ((1.0, 0.002, 0.002), "millimeter", 2.0),
        ((1.0, 1.0, 1.0), None, None),
        ((1.0, 5.0, 4.0), "nanometer", None),
    ],
)
def test_in_micrometres(scale, unit, expected):
    assert in_micrometres(scale, unit) == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(("model", "warned"), [(0.19, True), (0.1, False), (0.12, False), (None, False)])
def test_a_warning_names_the_file_and_the_option(tmp_path, caplog, model, warned):
    stating(tmp_path / "a.tif", 0.1)
    write_image(tmp_path / "b.png", IMAGE)
    find_images(tmp_path).warn_of_pixel_size(model)
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == warned
    if warned:
        assert "a.tif: has pixels of 0.1 um" in messages[0]
        assert "--pixel_size 0.1" in messages[0]


@pytest.mark.parametrize("size", [0, -1, "0.1", True, [0.1], float("inf")])
def test_a_data_set_with_an_impossible_size_is_refused(tmp_path, size):
    for name in ("a", "b"):
        write_image(tmp_path / f"{name}.png", IMAGE)
    item = {"image": "a.png", "label": "b.png"}
    content = {"name": "tiny", "label_kind": "classes", "labels": {"0": "no", "1": "yes"}, "training": [item]}
    path = tmp_path / "dataset.json"
    path.write_text(json.dumps({**content, "validation": [], "pixel_size": 0.25}))
    assert read_dataset(tmp_path, check=False).pixel_size == 0.25
    path.write_text(json.dumps({**content, "validation": [], "pixel_size": size}))
    with pytest.raises(UserError, match="pixel_size is .* side of a pixel in micrometres"):
        read_dataset(tmp_path, check=False)
