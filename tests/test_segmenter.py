"""`Segmenter` gives the results of `inferring`, for arrays, files and lists of them."""

from __future__ import annotations

import monai.bundle
import numpy as np
import pytest
import tifffile
import torch
import zarr

from custom import Segmentation, Segmenter
from custom.data import read_image
from custom.errors import UserError
from custom.model import Postprocessing
from scripts.segment_volume import __main__ as segment_volume

from .models import make_model, make_three_class_model


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    torch.manual_seed(0)
    post = Postprocessing(threshold=0.45, min_size=3)
    return make_model(tmp_path_factory.mktemp("model"), features=4, depth=2, postprocessing=post, orientations=8)


@pytest.fixture(scope="module")
def segment(model):
    return Segmenter(model.folder, device="cpu")


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 4000, (41, 57)).astype(np.uint16)


def same(one: Segmentation, other: Segmentation) -> bool:
    return all(np.array_equal(getattr(one, key), getattr(other, key)) for key in ("mask", "probability", "instances"))


def test_it_answers_as_inference_does(segment, model, image, tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", image)
    monai.bundle.run(
        run_id="inferring",
        config_file="bundle/configs/inference.json",
        model=str(model.folder),
        dataset_dir=str(tmp_path / "a.tif"),
        output_dir=str(tmp_path / "out"),
        save=["mask", "probability", "instance"],
        device="cpu",
    )
    found = segment(image)
    np.testing.assert_array_equal(found.mask, read_image(tmp_path / "out" / "masks" / "a.png"))
    np.testing.assert_array_equal(found.instances, read_image(tmp_path / "out" / "instances" / "a.tif"))
    np.testing.assert_allclose(found.probability, read_image(tmp_path / "out" / "probabilities" / "a.tif"), atol=1e-6)
    assert found.mask.dtype == np.uint8
    assert set(np.unique(found.mask)) <= {0, 255}
    np.testing.assert_array_equal(found.mask == 255, found.probability >= np.float32(0.45))


def test_another_pixel_size_is_another_scale_in_each_way(image, tmp_path):
    """`Segmenter`, `inferring` and `segment_volume` agree, and equal the model at the scale that follows."""
    torch.manual_seed(0)
    post = Postprocessing(threshold=0.45, min_size=8)
    made = make_model(tmp_path / "model", features=4, depth=2, postprocessing=post, pixel_size=0.1, scale=0.5)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, image)
    given = Segmenter(made.folder, device="cpu", pixel_size=0.2)(image)
    made.scale, made.postprocessing.min_size = 1.0, 2
    assert same(given, Segmenter(made, device="cpu")(image))
    monai.bundle.run(
        run_id="inferring",
        config_file="bundle/configs/inference.json",
        model=str(made.folder),
        dataset_dir=str(path),
        output_dir=str(tmp_path / "out"),
        save=["probability", "instance"],
        device="cpu",
        pixel_size=0.2,
    )
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out" / "probabilities" / "a.tif"), given.probability)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out" / "instances" / "a.tif"), given.instances)
    volume = [str(path), str(tmp_path / "a.zarr"), "--model", str(made.folder), "--pixel_size", "0.2"]
    assert segment_volume.main(volume) == 0
    mask = zarr.open_array(tmp_path / "a.zarr" / "labels" / "mask" / "0", mode="r")[0]
    np.testing.assert_array_equal(mask > 0, given.mask > 0)


def test_arrays_files_and_lists_are_one(segment, image, tmp_path):
    expected = segment(image)
    tifffile.imwrite(tmp_path / "a.tif", image)
    tifffile.imwrite(tmp_path / "stack.tif", np.stack([image, image[::-1]]), photometric="minisblack")
    stored = zarr.create_array(tmp_path / "a.zarr", shape=image.shape, dtype=image.dtype)
    stored[:] = image
    for given in (str(tmp_path / "a.tif"), tmp_path / "a.tif", stored, torch.from_numpy(image.astype(np.int32))):
        assert same(segment(given), expected)
    pages = segment(tmp_path / "stack.tif")
    assert len(pages) == 2
    assert same(pages[0], expected)
    several = segment([image, tmp_path / "stack.tif"])
    assert [item.mask.shape for item in several] == [image.shape] * 3


def test_tensors_of_bfloat16_are_read(segment, image):
    rounded = torch.from_numpy(image.astype(np.float32)).bfloat16()
    assert same(segment(rounded), segment(rounded.float()))


@pytest.fixture(scope="module")
def of_two_channels(tmp_path_factory):
    return Segmenter(make_three_class_model(tmp_path_factory.mktemp("two")), device="cpu")


@pytest.mark.parametrize(("pages", "channel", "axes"), [(3, [2, 0], "CYX"), (2, None, "CYX"), (2, [1, 0], "cyx")])
def test_channels_of_a_file_are_chosen_as_for_inference(of_two_channels, image, tmp_path, pages, channel, axes):
    planes = np.stack([image, image[::-1], image[:, ::-1]])[:pages]
    file = tmp_path / "a.tif"
    tifffile.imwrite(file, planes, photometric="minisblack", metadata=None)
    reading = {"axes": axes, **({} if channel is None else {"channel": channel})}
    monai.bundle.run(
        run_id="inferring",
        config_file="bundle/configs/inference.json",
        model=str(of_two_channels.model.folder),
        dataset_dir=str(file),
        output_dir=str(tmp_path / "out"),
        mask_format=".tif",
        save=["mask", "instance"],
        device="cpu",
        bfloat16=False,
        **reading,
    )
    of_two_channels.inferer.amp = False
    found = of_two_channels(file, **reading)
    np.testing.assert_array_equal(found.mask, read_image(tmp_path / "out" / "masks" / "a.tif"))
    np.testing.assert_array_equal(found.instances, read_image(tmp_path / "out" / "instances" / "a.tif"))
    assert same(found, of_two_channels(np.moveaxis(planes[channel or [0, 1]], 0, -1)))
    (listed,) = of_two_channels([file], **reading)
    assert same(found, listed)


def test_channels_that_cannot_be_chosen(of_two_channels, segment, image, tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.stack([image] * 3), photometric="minisblack", metadata=None)
    for given, message in (
        ({}, "2 are wanted .*; if its 3 pages are channels, say so: --axes CYX"),
        ({"axes": "CYX"}, "has 3 channels, 2 are wanted .*; choose with --channel"),
        ({"axes": "CYX", "channel": 1}, "--channel 1: the model takes 2 channels"),
        ({"axes": "CYX", "channel": [0, 5]}, "has no channel 5"),
        ({"axes": "pages"}, "give T, Z, C"),
    ):
        with pytest.raises(UserError, match=message):
            of_two_channels(tmp_path / "a.tif", **given)
    assert same(segment(tmp_path / "a.tif", channel=1, axes="CYX"), segment(image))
    with pytest.raises(UserError, match="channel, axes: are those of files"):
        segment(image, channel=0)


def test_colour_becomes_gray(segment, image):
    colour = np.repeat(image[..., None], 3, axis=2)
    np.testing.assert_allclose(segment(colour).probability, segment(image).probability, atol=1e-3)


@pytest.mark.parametrize(
    ("shape", "message"), [((3, 40, 50), "1 to 4 channels"), ((0, 5), "with pixels"), ((7,), "1 to 4 channels")]
)
def test_what_is_no_image_is_refused(segment, shape, message):
    with pytest.raises(UserError, match=message):
        segment(np.ones(shape))


def test_pixels_that_are_not_finite_are_refused(segment):
    with pytest.raises(UserError, match="not finite"):
        segment(np.full((5, 6), np.nan))


def test_an_unknown_model_is_refused():
    with pytest.raises(UserError, match="model nowhere"):
        Segmenter("nowhere")
