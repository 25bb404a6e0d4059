"""Predictions are saved under the input's name, with its exact height and width."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from custom.data import read_image, read_mask
from custom.errors import UserError
from custom.handlers import SegmentationSaver
from custom.model import ClassInfo


def output(height: int, width: int, offset: int = 0) -> dict:
    pixels = torch.arange(height * width).reshape(1, height, width) + offset
    return {"pred": (pixels % 2).float(), "probability": pixels / pixels.max(), "instance": pixels.int()}


def meta(path, page: int = 0, pages: int = 1) -> dict:
    return {"filename_or_obj": str(path), "page": torch.tensor(page), "pages": torch.tensor(pages)}


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "cell 1.png"
    Image.fromarray(np.zeros((5, 7), np.uint8)).save(path)
    return path


def test_mask_probability_and_instances(image, tmp_path):
    predicted = output(5, 7)
    saver = SegmentationSaver(tmp_path / "out", keys=("mask", "probability", "instance"))
    saver.check(None)
    saver.save(meta(image), predicted)
    mask = np.asarray(Image.open(tmp_path / "out/masks/cell 1.png"))
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, predicted["pred"][0] * 255)
    probability = tifffile.imread(tmp_path / "out/probabilities/cell 1.tif")
    assert probability.dtype == np.float32
    np.testing.assert_array_equal(probability, predicted["probability"][0])
    instances = tifffile.imread(tmp_path / "out/instances/cell 1.tif")
    assert instances.dtype == np.uint16
    np.testing.assert_array_equal(instances, predicted["instance"][0])


CLASSES = [ClassInfo(name=name, value=value) for name, value in {"ground": 3, "body": 200, "core": 7}.items()]


def test_values_of_more_classes(image, tmp_path):
    predicted = {"pred": torch.tensor([[[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]])}
    SegmentationSaver(tmp_path / "out", classes=CLASSES).save(meta(image), predicted)
    mask = Image.open(tmp_path / "out/masks/cell 1.png")
    assert mask.mode == "L"
    np.testing.assert_array_equal(mask, [[3, 200, 7], [7, 200, 3]])
    wide = [*CLASSES[:2], ClassInfo(name="core", value=300)]
    SegmentationSaver(tmp_path / "wide", ".tif", classes=wide).save(meta(image), predicted)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "wide/masks/cell 1.tif"), [[3, 200, 300], [300, 200, 3]])


def test_a_palette_shows_classes_in_colours_and_keeps_their_values(image, tmp_path):
    predicted = {"pred": torch.tensor([[[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]])}
    SegmentationSaver(tmp_path / "out", classes=CLASSES, palette=True).save(meta(image), predicted)
    np.testing.assert_array_equal(read_mask(tmp_path / "out/masks/cell 1.png"), [[3, 200, 7], [7, 200, 3]])
    colours = np.asarray(Image.open(tmp_path / "out/masks/cell 1.png").convert("RGB"))
    assert not colours[0, 0].any()
    assert len({tuple(colour) for colour in colours[0].tolist()}) == 3
    for arguments in ({"mask_suffix": ".tif"}, {"classes": [*CLASSES, ClassInfo(name="wide", value=300)]}):
        with pytest.raises(UserError, match="palette: needs masks in .png and class values up to 255"):
            SegmentationSaver(tmp_path, palette=True, **arguments)


@pytest.mark.parametrize("pages", [1, 2])
def test_probabilities_of_more_classes_are_named_channels(tmp_path, pages):
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, np.zeros((pages, 5, 7), np.uint8), photometric="minisblack")
    probability = torch.rand(pages, 3, 5, 7)
    saver = SegmentationSaver(tmp_path / "out", keys=["probability"], classes=CLASSES)
    for page in range(pages):
        saver.save(meta(path, page, pages), {"probability": probability[page]})
    written = tmp_path / "out/probabilities/stack.tif"
    for page in range(pages):
        read = read_image(written, page, (0, 1, 2))
        np.testing.assert_array_equal(np.moveaxis(read, -1, 0), probability[page])
    with tifffile.TiffFile(written) as file:
        assert all(f'Name="{part.name}"' in file.ome_metadata for part in CLASSES)


def test_more_objects_than_16_bits_hold(image, tmp_path):
    predicted = {"instance": torch.tensor([[[0, 70_000]]])}
    SegmentationSaver(tmp_path, keys=["instance"]).save(meta(image), predicted)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "instances/cell 1.tif"), [[0, 70_000]])


def test_pages_come_back_as_pages(tmp_path):
    stack = tmp_path / "stack.tif"
    tifffile.imwrite(stack, np.zeros((3, 5, 7), np.uint8), photometric="minisblack")
    saver = SegmentationSaver(tmp_path / "out")
    saver.check(None)
    pages = [output(5, 7, offset) for offset in range(3)]
    for number, predicted in enumerate(pages):
        assert not (tmp_path / "out/masks/stack.tif").exists()
        saver.save(meta(stack, number, 3), predicted)
    expected = np.stack([page["pred"][0] * 255 for page in pages])
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out/masks/stack.tif"), expected)


def test_as_a_handler_it_writes_every_image_of_a_batch(image, tmp_path):
    batch = [{"image": SimpleNamespace(meta=meta(image))}]
    state = SimpleNamespace(batch=batch, output=[output(5, 7)])
    SegmentationSaver(tmp_path / "out")(SimpleNamespace(state=state))
    assert (tmp_path / "out/masks/cell 1.png").is_file()


@pytest.mark.parametrize("arguments", [{"mask_suffix": ".jpg"}, {"keys": ("masks",)}, {"keys": ()}])
def test_unknown_formats_are_refused(tmp_path, arguments):
    with pytest.raises(UserError, match="choose"):
        SegmentationSaver(tmp_path, **arguments)


def test_a_folder_that_cannot_be_made_is_refused_before_the_run(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="choose a folder that you may write"):
        SegmentationSaver(tmp_path / "file" / "out").check(None)
