"""Several time points: films are volumes of which the slices are times; of several volumes one is chosen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr

from custom.errors import UserError
from scripts.segment_volume import __main__ as segment_volume
from scripts.segment_volume import target
from scripts.segment_volume.source import Volume
from scripts.segment_volume.times import Times
from tests.models import make_model

PIXELS = np.random.default_rng(0).integers(0, 4000, (2, 3, 2, 40, 50)).astype(np.uint16)  # times, slices, channels
WHOLE = slice(0, 40), slice(0, 50)


def volumes(path: Path, kind: str) -> Path:
    """Two volumes of three slices and two channels."""
    if kind == "zarr":
        zarr.create_array(path, data=PIXELS, zarr_format=3, dimension_names=tuple("tzcyx"))
    else:
        tifffile.imwrite(path, PIXELS, photometric="minisblack", metadata={"axes": "TZCYX"}, **{kind: True})
    return path


@pytest.mark.parametrize("kind", ["imagej", "ome", "zarr"])
def test_one_is_chosen(kind, tmp_path):
    path = volumes(tmp_path / ("a.zarr" if kind == "zarr" else "a.tif"), kind)
    with pytest.raises(UserError, match="a.*: choose one of its 2 time points, --time 0 to 1"):
        Volume(path, 1)
    for time in range(2):
        volume = Volume(path, 1, time=time)
        assert (volume.shape, volume.film) == ((3, 40, 50), False)
        np.testing.assert_array_equal(volume.read(2, *WHOLE), PIXELS[time, 2, 1])


@pytest.mark.parametrize(
    ("axes", "time", "message"),
    [
        ("TYX", 3, "has no time point 3; choose --time 0 to 2"),
        ("TYX", -1, "has no time point -1; choose --time 0 to 2"),
        ("ZYX", 1, "has no time point 1; leave --time out"),
    ],
)
def test_a_time_that_does_not_exist(axes, time, message, tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", PIXELS[0, :, 0], imagej=True, metadata={"axes": axes})
    with pytest.raises(UserError, match=message):
        Volume(tmp_path / "a.tif", time=time)


def test_a_frame_of_a_film(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", PIXELS[0, :, 0], imagej=True, metadata={"axes": "TYX"})
    volume = Volume(tmp_path / "a.tif", time=1)
    assert (volume.shape, volume.film) == ((1, 40, 50), False)
    np.testing.assert_array_equal(volume.read(0, *WHOLE), PIXELS[0, 1, 0])


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_the_axis_of_a_film_is_time(version, tmp_path):
    tifffile.imwrite(
        tmp_path / "a.tif", PIXELS[0, :, 0], imagej=True, resolution=(2, 2), metadata={"axes": "TYX", "unit": "um"}
    )
    volume = Volume(tmp_path / "a.tif")
    assert volume.film
    target.create(
        tmp_path / "a.zarr", volume.shape, 32, (3.0, 0.5, 0.5), volume.unit, version, instances=True, film=volume.film
    )
    for name in ("", "labels/mask", "labels/instances"):
        group = zarr.open_group(tmp_path / "a.zarr" / name, mode="r")
        attributes: Any = group.attrs.asdict()
        (multiscale,) = attributes.get("ome", attributes)["multiscales"]
        assert [(axis["name"], axis["type"], axis.get("unit")) for axis in multiscale["axes"]] == [
            ("t", "time", None),
            ("y", "space", "micrometer"),
            ("x", "space", "micrometer"),
        ]
        assert multiscale["datasets"][0]["coordinateTransformations"][0]["scale"] == [1.0, 0.5, 0.5]
        assert getattr(group["0"].metadata, "dimension_names", tuple("tyx")) == tuple("tyx")
    assert Volume(tmp_path / "a.zarr").film


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"ome": True, "metadata": {"axes": "TYX", "TimeIncrement": 2.5}}, (2.5, "second")),
        ({"ome": True, "metadata": {"axes": "TYX", "TimeIncrement": 4, "TimeIncrementUnit": "min"}}, (4.0, "minute")),
        ({"ome": True, "metadata": {"axes": "TYX", "TimeIncrement": 4, "TimeIncrementUnit": "moon"}}, (None, None)),
        ({"ome": True, "metadata": {"axes": "TYX"}}, (None, None)),
        ({"imagej": True, "metadata": {"axes": "TYX", "finterval": 0.5}}, (0.5, "second")),
        ({"imagej": True, "metadata": {"axes": "TYX", "finterval": 0}}, (None, None)),
    ],
)
def test_the_time_between_slices_is_kept(options, expected, tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", PIXELS[0, :, 0], photometric="minisblack", **options)
    volume = Volume(tmp_path / "a.tif")
    assert (volume.times.step, volume.times.unit) == expected
    made = tmp_path / "a.zarr"
    target.create(made, volume.shape, 32, volume.scale, volume.unit, film=volume.film, times=volume.times)
    step, unit = expected
    assert Volume(made).times == Times(step or 1.0, 0.0, unit)  # OME-Zarr has a factor for each axis


def test_a_film_may_start_later(tmp_path):
    times = Times(2.5, 10.0, "second")
    target.create(tmp_path / "a.zarr", (3, 40, 50), 32, (1.0, 0.5, 0.5), "meter", film=True, times=times)
    assert Volume(tmp_path / "a.zarr").times == times


def test_a_chosen_time_is_segmented_as_a_volume_of_its_own(tmp_path, capsys):
    volumes(tmp_path / "all.tif", "ome")
    tifffile.imwrite(tmp_path / "one.tif", PIXELS[1, :, 0], photometric="minisblack")
    model = str(make_model(tmp_path / "model").folder)
    line = [str(tmp_path / "all.tif"), str(tmp_path / "all.zarr"), "--model", model, "--channel", "0"]
    assert segment_volume.main([*line, "--time", "2"]) == 2
    assert "all.tif: has shape (2, 3, 2, 40, 50) (axes tzcyx): has no time point 2" in capsys.readouterr().err
    assert segment_volume.main([*line, "--time", "1"]) == 0
    assert segment_volume.main([str(tmp_path / "one.tif"), str(tmp_path / "one.zarr"), "--model", model]) == 0
    for name in ("0", "labels/mask/0"):
        one, other = (zarr.open_array(tmp_path / f"{which}.zarr" / name, mode="r")[:] for which in ("one", "all"))
        np.testing.assert_array_equal(one, other)
