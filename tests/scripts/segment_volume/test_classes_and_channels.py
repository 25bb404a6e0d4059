"""A volume of two channels and a model of three classes: as the segmenter says of each slice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr

from custom import Segmenter
from custom.model import Model
from scripts.segment_volume import __main__ as segment_volume
from tests.models import THREE_CLASSES, make_three_class_model

SHAPE = (2, 2, 60, 83)  # (Z, C, H, W)


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Model:
    return make_three_class_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def stack() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 4000, SHAPE).astype(np.uint16)


def _ome(path: Path, stack: np.ndarray) -> None:
    tifffile.imwrite(path, stack, ome=True, photometric="minisblack", metadata={"axes": "ZCYX"})


def _zarr(path: Path, stack: np.ndarray) -> None:
    zarr.create_array(path, data=stack.swapaxes(0, 1), chunks=(1, 1, 32, 32), zarr_format=2)


def run(source: Path, output: Path, model: Model, *more: str) -> int:
    fixed = ["--model", str(model.folder), "--block", "64", "--bfloat16", "false"]
    return segment_volume.main([str(source), str(output), *fixed, *more])


INPUTS = {
    "volume.ome.tif": (_ome, ("--instances",), (0, 1)),
    "chosen.ome.tif": (_ome, ("--channel", "1", "0"), (1, 0)),
    "volume.zarr": (_zarr, ("--axes", "CZYX"), (0, 1)),
}


@pytest.mark.parametrize("name", INPUTS)
def test_a_volume_is_segmented_as_its_slices(model, stack, tmp_path, name):
    write, options, channels = INPUTS[name]
    write(tmp_path / name, stack)
    assert run(tmp_path / name, tmp_path / "out.zarr", model, *options) == 0
    probability = zarr.open_array(tmp_path / "out.zarr" / "0", mode="r")[:]
    mask = zarr.open_array(tmp_path / "out.zarr" / "labels" / "mask" / "0", mode="r")[:]
    assert (probability.shape, mask.shape, mask.dtype) == ((3, 2, 60, 83), (2, 60, 83), np.uint16)
    segment = Segmenter(model, device="cpu")
    segment.inferer.amp = False
    for z, page in enumerate(stack):
        found = segment(np.moveaxis(page[list(channels)], 0, -1))
        np.testing.assert_allclose(probability[:, z], found.probability, atol=1e-5)
        likeliest = np.sort(found.probability, axis=0)
        clear = likeliest[-1] - likeliest[-2] > 1e-4
        np.testing.assert_array_equal(mask[z][clear], found.mask[clear])
        if "--instances" in options:
            instances = zarr.open_array(tmp_path / "out.zarr" / "labels" / "instances" / "0", mode="r")[z]
            assert ((instances > 0) == (found.instances > 0)).mean() > 0.999
            assert 0 < (instances > 0).mean() < 1
    assert set(np.unique(mask)) <= set(THREE_CLASSES.values())
    attributes = zarr.open_group(tmp_path / "out.zarr", mode="r").attrs.asdict()
    assert [axis["name"] for axis in attributes["multiscales"][0]["axes"]] == ["c", "z", "y", "x"]
    assert [channel["label"] for channel in attributes["omero"]["channels"]] == list(THREE_CLASSES)
    label = zarr.open_group(tmp_path / "out.zarr" / "labels" / "mask", mode="r").attrs.asdict()["image-label"]
    assert {entry["class"]: entry["label-value"] for entry in label["properties"]} == THREE_CLASSES


@pytest.mark.parametrize(
    ("shape", "axes", "more", "message"),
    [
        ((2, 20, 30), "ZYX", (), r"channels: 1, the model takes 2 channels (DNA, actin µ); name its axes with --axes"),
        ((3, 20, 30), "CYX", (), r"channels: 3, the model takes 2 channels (DNA, actin µ); choose with --channel"),
        ((3, 20, 30), "CYX", ("--channel", "1"), "--channel: the model takes 2 channels (DNA, actin µ); give 2"),
        ((2, 20, 30), "ZYX", ("--axes", "CZYX"), "so axes CZYX do not hold"),
    ],
)
def test_other_channels_are_refused_in_one_line(model, tmp_path, capsys, shape, axes, more, message):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros(shape, np.uint8), ome=True, metadata={"axes": axes})
    assert run(tmp_path / "a.tif", tmp_path / "out.zarr", model, *more) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not (tmp_path / "out.zarr.part").exists()
