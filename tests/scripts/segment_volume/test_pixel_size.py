"""Anisotropic pixel size and unit are copied from the file to the result."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tifffile
import zarr

from scripts.segment_volume import target
from scripts.segment_volume.source import Volume

STACK = np.zeros((3, 20, 30), np.uint8)


def test_imagej(tmp_path):
    metadata = {"spacing": 0.05, "unit": "um", "axes": "ZYX"}
    tifffile.imwrite(tmp_path / "a.tif", STACK, imagej=True, resolution=(250, 125), metadata=metadata)
    volume = Volume(tmp_path / "a.tif")
    assert volume.scale == (0.05, 1 / 125, 1 / 250)
    assert volume.unit == "micrometer"


def test_ome(tmp_path):
    sizes = {"PhysicalSizeX": 4.0, "PhysicalSizeY": 5.0, "PhysicalSizeZ": 50.0}
    units = {f"{key}Unit": "nm" for key in sizes}
    metadata = {"axes": "ZYX", **sizes, **units}
    tifffile.imwrite(tmp_path / "a.ome.tif", STACK, photometric="minisblack", metadata=metadata)
    volume = Volume(tmp_path / "a.ome.tif")
    assert (volume.scale, volume.unit) == ((50.0, 5.0, 4.0), "nanometer")


def test_units_that_differ_become_that_of_the_columns(tmp_path):
    sizes = {"PhysicalSizeX": 4.0, "PhysicalSizeY": 5.0, "PhysicalSizeZ": 0.05}
    units = {"PhysicalSizeXUnit": "nm", "PhysicalSizeYUnit": "nm", "PhysicalSizeZUnit": "µm"}
    metadata = {"axes": "ZYX", **sizes, **units}
    tifffile.imwrite(tmp_path / "a.ome.tif", STACK, photometric="minisblack", metadata=metadata)
    metadata = {"axes": "ZYX", "spacing": 0.05, "unit": "nm", "zunit": "um"}
    tifffile.imwrite(tmp_path / "b.tif", STACK, imagej=True, resolution=(1 / 4, 1 / 5), metadata=metadata)
    for name in ("a.ome.tif", "b.tif"):
        volume = Volume(tmp_path / name)
        assert volume.scale == pytest.approx((50.0, 5.0, 4.0))
        assert volume.unit == "nanometer"


@pytest.mark.parametrize(
    "options",
    [
        {"resolution": (72, 72), "resolutionunit": "inch"},
        {"imagej": True, "metadata": {"unit": "pixel", "axes": "ZYX"}, "resolution": (2, 2)},
        {"metadata": {"axes": "ZYX"}, "ome": True},
    ],
    ids=["resolution tags alone", "a unit that is none", "OME without sizes"],
)
def test_a_file_that_does_not_say(tmp_path, options):
    tifffile.imwrite(tmp_path / "a.tif", STACK, photometric="minisblack", **options)
    volume = Volume(tmp_path / "a.tif")
    assert (volume.scale, volume.unit) == ((1.0, 1.0, 1.0), None)


@pytest.mark.parametrize(
    "options",
    [
        {"imagej": True, "metadata": {"unit": "um", "axes": "ZYX"}, "resolution": (2, 4)},
        {"ome": True, "metadata": {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.25, "axes": "ZYX"}},
    ],
    ids=["ImageJ", "OME"],
)
def test_a_spacing_that_is_not_known_is_not_made_up(tmp_path, options):
    tifffile.imwrite(tmp_path / "a.tif", STACK, photometric="minisblack", **options)
    volume = Volume(tmp_path / "a.tif")
    assert (volume.scale, volume.unit) == ((None, 0.25, 0.5), "micrometer")
    target.create(tmp_path / "a.zarr", volume.shape, 128, volume.scale, volume.unit)
    multiscale: Any = zarr.open_group(tmp_path / "a.zarr").attrs["multiscales"]
    assert multiscale[0]["axes"] == [
        {"name": "z", "type": "space"},
        {"name": "y", "type": "space", "unit": "micrometer"},
        {"name": "x", "type": "space", "unit": "micrometer"},
    ]
    assert multiscale[0]["datasets"][0]["coordinateTransformations"][0]["scale"] == [1.0, 0.25, 0.5]
    again = Volume(tmp_path / "a.zarr")
    assert (again.scale, again.unit) == (volume.scale, volume.unit)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_the_result_is_read_with_the_same_size(tmp_path, version):
    target.create(tmp_path / "a.zarr", (3, 200, 300), 128, (50.0, 5.0, 4.0), "nanometer", version)
    volume = Volume(tmp_path / "a.zarr")
    assert (volume.shape, volume.scale, volume.unit) == ((3, 200, 300), (50.0, 5.0, 4.0), "nanometer")
