"""OME-Zarr images as other programs write them: pixel size, axes, collections."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from custom.errors import UserError
from scripts.segment_volume import __main__ as segment_volume
from scripts.segment_volume.source import Volume
from tests.models import make_model

SHAPE = (3, 20, 30)


def scaling(*sizes: float) -> list[dict[str, Any]]:
    return [{"type": "scale", "scale": list(sizes)}]


def axes(names: str = "zyx", **units: str) -> list[dict[str, str]]:
    return [{"name": name, "type": "space", **({"unit": units[name]} if name in units else {})} for name in names]


def image(group: zarr.Group, multiscale: dict[str, Any], shape: tuple[int, ...] = SHAPE) -> None:
    """Make the array of an image, "0", and its metadata."""
    group.create_array("0", shape=shape, dtype="uint8")[:] = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    content = {"multiscales": [{"datasets": [{"path": "0"}], **multiscale}]}
    group.attrs.update(content if group.metadata.zarr_format == 2 else {"ome": {"version": "0.5", **content}})


MICROMETRES = dict.fromkeys("zyx", "micrometer")
LEVEL = [{"path": "0", "coordinateTransformations": scaling(2, 0.5, 0.4)}]


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize(
    ("multiscale", "scale", "unit"),
    [
        ({"axes": axes(**MICROMETRES), "datasets": LEVEL}, (2, 0.5, 0.4), "micrometer"),
        ({"axes": axes(**MICROMETRES), "coordinateTransformations": scaling(2, 0.5, 0.4)}, (2, 0.5, 0.4), "micrometer"),
        (
            {"axes": axes(**MICROMETRES), "datasets": LEVEL, "coordinateTransformations": scaling(10, 2, 2)},
            (20, 1, 0.8),
            "micrometer",
        ),
        (
            {"axes": axes(z="micrometer", y="nanometer", x="nanometer"), "datasets": LEVEL},
            (2000, 0.5, 0.4),
            "nanometer",
        ),
        ({"axes": axes(z="µm", y="µm", x="µm"), "datasets": LEVEL}, (2, 0.5, 0.4), "micrometer"),
        ({"axes": axes(z="parsec", y="parsec", x="parsec"), "datasets": LEVEL}, (2, 0.5, 0.4), "parsec"),
        ({"axes": axes(z="parsec", y="meter", x="meter"), "datasets": LEVEL}, (None, 0.5, 0.4), "meter"),
        ({"axes": axes(y="meter", x="meter"), "datasets": LEVEL}, (None, 0.5, 0.4), "meter"),
        ({"axes": axes(y="parsec", x="meter"), "datasets": LEVEL}, (1, 1, 1), None),
        ({"axes": axes(), "datasets": LEVEL}, (2, 0.5, 0.4), None),
        ({"axes": axes(**MICROMETRES), "coordinateTransformations": scaling(0, 0, 0)}, (1, 1, 1), None),
        ({"axes": axes("ZYX"), "datasets": LEVEL}, (2, 0.5, 0.4), None),
        ({"axes": ["z", "y", "x"]}, (1, 1, 1), None),
    ],
    ids=[
        "usual",
        "of all levels",
        "of both",
        "other unit of slices",
        "symbols",
        "a unit that is not known",
        "a unit of slices that cannot be converted",
        "no unit of slices",
        "a unit of rows that cannot be converted",
        "no units",
        "no sizes",
        "capitals",
        "0.3",
    ],
)
def test_pixel_size(zarr_format, multiscale, scale, unit, tmp_path):
    image(zarr.create_group(tmp_path / "a.zarr", zarr_format=zarr_format), multiscale)
    volume = Volume(tmp_path / "a.zarr")
    assert (volume.shape, volume.unit) == (SHAPE, unit)
    assert volume.scale == pytest.approx(scale)


def moving(*offsets: float) -> list[dict[str, Any]]:
    return [{"type": "translation", "translation": list(offsets)}]


INNER = [{"path": "0", "coordinateTransformations": scaling(2, 0.5, 0.4) + moving(6, 5, -4)}]


@pytest.mark.parametrize(
    ("multiscale", "origin"),
    [
        ({"axes": axes(**MICROMETRES), "datasets": INNER}, (6, 5, -4)),
        (
            {
                "axes": axes(**MICROMETRES),
                "datasets": INNER,
                "coordinateTransformations": scaling(10, 2, 3) + moving(1, 2, 3),
            },
            (61, 12, -9),
        ),
        ({"axes": axes(z="micrometer", y="nanometer", x="nanometer"), "datasets": INNER}, (6000, 5, -4)),
        ({"axes": axes(y="meter", x="meter"), "datasets": INNER}, (0, 5, -4)),
        ({"axes": axes(y="parsec", x="meter"), "datasets": INNER}, (0, 0, 0)),
        ({"axes": axes(**MICROMETRES), "datasets": LEVEL}, (0, 0, 0)),
    ],
    ids=["of the level", "of both", "other unit of slices", "no unit of slices", "no unit for both", "none"],
)
def test_the_place_of_the_first_pixel(multiscale, origin, tmp_path):
    image(zarr.create_group(tmp_path / "a.zarr", zarr_format=2), multiscale)
    assert Volume(tmp_path / "a.zarr").origin == pytest.approx(origin)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_a_result_lies_where_its_source_lies(version, tmp_path):
    image(zarr.create_group(tmp_path / "a.zarr", zarr_format=2), {"axes": axes(**MICROMETRES), "datasets": INNER})
    model = str(make_model(tmp_path / "model").folder)
    line = [str(tmp_path / "a.zarr"), str(tmp_path / "b.zarr"), "--model", model, "--block", "16"]
    assert segment_volume.main([*line, "--ome_zarr", version]) == 0
    for name, shift in (("", 0.5), ("labels/mask", 0)):
        assert Volume(tmp_path / "b.zarr" / name).origin == (6, 5, -4)
        attributes: Any = zarr.open_group(tmp_path / "b.zarr" / name, mode="r").attrs.asdict()
        (multiscale,) = attributes.get("ome", attributes)["multiscales"]
        second = multiscale["datasets"][1]["coordinateTransformations"][1]["translation"]
        assert second == pytest.approx([6, 5 + shift * 0.5, -4 + shift * 0.4])


@pytest.mark.parametrize("own", [{}, {"axes": [{"name": name} for name in ("time", "channel", "z", "row", "col")]}])
def test_axes_without_letters_have_to_be_named(own, tmp_path):
    """As in OME-Zarr 0.1 and 0.2, which name none."""
    level = [{"path": "0", "coordinateTransformations": scaling(1, 1, 2, 0.5, 0.4)}]
    image(zarr.create_group(tmp_path / "a.zarr", zarr_format=2), {**own, "datasets": level}, (1, 1, *SHAPE))
    with pytest.raises(UserError, match=r"a\.zarr: has shape .* does not name its axes; .* --axes TCZYX"):
        Volume(tmp_path / "a.zarr")
    volume = Volume(tmp_path / "a.zarr", axes="TCZYX")
    assert (volume.shape, volume.scale) == (SHAPE, (2.0, 0.5, 0.4))


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize(
    ("description", "inside"),
    [
        ({"plate": {"wells": [{"path": "B/03"}, {"path": "B/04"}]}}, "B/03/0"),
        ({"well": {"images": [{"path": "7"}]}}, "7"),
        ({"bioformats2raw.layout": 3}, "0"),
    ],
    ids=["plate", "well", "bioformats2raw"],
)
def test_an_image_of_a_collection_is_named(zarr_format, description, inside, tmp_path):
    path: Path = tmp_path / "many.zarr"
    root = zarr.create_group(path, zarr_format=zarr_format)
    root.attrs.update(description if zarr_format == 2 else {"ome": description})
    with pytest.raises(
        UserError, match=f"many.zarr: a collection of OME-Zarr images; give one .* such as .*/{inside}$"
    ):
        Volume(path)


def test_a_missing_array_is_named(tmp_path):
    image(zarr.create_group(tmp_path / "a.zarr"), {"axes": axes(), "datasets": [{"path": "full"}]})
    with pytest.raises(UserError, match=r"a\.zarr: its array full is missing"):
        Volume(tmp_path / "a.zarr")
