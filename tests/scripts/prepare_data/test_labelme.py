"""LabelMe's JSON, with masks written out by hand."""

from __future__ import annotations

import base64
import json
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from .common import SHAPE, prepare
from .drawn import HOLE, SQUARE, WIDE, cells, loaded, made, refused, two_images


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return two_images(tmp_path)


def shape(points: Any, kind: str | None = "polygon", label: Any = "cell", group: int | None = None) -> dict[str, Any]:
    """A shape as LabelMe 5 writes it."""
    return {
        "label": label,
        "points": points,
        "group_id": group,
        "description": "",
        "shape_type": kind,
        "flags": {},
        "mask": None,
    }


def png(pixels: Any) -> str:
    buffer = BytesIO()
    Image.fromarray(np.array(pixels, bool)).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def write(own: Path, name: str, *shapes: dict[str, Any], **more: Any) -> None:
    content = {
        "version": "5.5.0",
        "flags": {},
        "shapes": shapes,
        "imagePath": f"{name}.png",
        "imageData": None,
        "imageHeight": SHAPE[0],
        "imageWidth": SHAPE[1],
    }
    (own / f"{name}.json").write_text(json.dumps({**content, **more}))


def covered(own: Path, *shapes: dict[str, Any]) -> NDArray:
    """Objects of the first of two images, whose shapes are these; of the other one two rectangles."""
    write(own, "ape", *shapes)
    write(own, "bee", shape(SQUARE), shape(WIDE))
    first, second = loaded(made(own, "--instances"), "instance")
    np.testing.assert_array_equal(second, cells())
    return first


def test_a_rectangle_in_all_its_forms(own: Path) -> None:
    """From corner to corner, with all four corners (X-AnyLabeling), and as a polygon without a kind (LabelMe 3)."""
    corners = [[20, 3], [4, 9]]
    write(own, "ape", shape(corners, "rectangle"), shape(WIDE, "rectangle"))
    write(own, "bee", shape(SQUARE, None), shape(WIDE, "rotation"), imageHeight=None, imageWidth=None)
    for instances in loaded(made(own), "instance"):
        np.testing.assert_array_equal(instances, cells())


def test_pixels_whose_centres_are_inside(own: Path) -> None:
    """Of a triangle on the corner of the image, and of a circle around a corner of pixels."""
    expected = np.zeros(SHAPE, int)
    for row, width in enumerate((4, 3, 2, 1)):
        expected[row, :width] = 1
    # Centres at 0.5, 1.5 and 2.5 from the axes: at most 2.6 away are all but (2.5, 1.5), (1.5, 2.5) and (2.5, 2.5).
    for row, half in zip(range(7, 13), (1, 2, 3, 3, 2, 1), strict=True):
        expected[row, 20 - half : 20 + half] = 2
    triangle, circle = shape([[0, 0], [4.6, 0], [0, 4.6]]), shape([[20, 10], [20, 12.6]], "circle")
    np.testing.assert_array_equal(covered(own, triangle, circle), expected)


def test_masks_lie_in_their_box(own: Path) -> None:
    """One within the image, one beyond its corner, moved by fractions of a pixel, and one whose box ends a pixel on."""
    ring = [[1, 1, 1, 1], [1, 0, 1, 0], [0, 1, 1, 1]]
    whole = {**shape([[5, 2], [8, 4]], "mask"), "mask": png(ring)}
    outside = {**shape([[-1.4, 22.2], [0.6, 24.2]], "mask"), "mask": png(np.ones((3, 3)))}
    longer = {**shape([[30, 8], [32, 10]], "mask"), "mask": png(np.ones((2, 2)))}
    expected = np.zeros(SHAPE, int)
    expected[2:5, 5:9] = ring
    expected[22:24, :2] = 2
    expected[8:10, 30:32] = 3
    np.testing.assert_array_equal(covered(own, whole, outside, longer), expected)


def test_shapes_of_one_group_and_label_are_one_object(own: Path) -> None:
    mask = {**shape([[28, 0], [29, 1]], "mask", group=1), "mask": png([[1, 0], [0, 1]])}
    shapes = [shape(SQUARE, group=1), shape(WIDE, group=1), mask, shape(HOLE, group=2)]
    expected = np.where(cells() > 0, 1, 0)
    expected[0, 28] = expected[1, 29] = 1
    expected[14:18, 10:14] = 2
    np.testing.assert_array_equal(covered(own, *shapes), expected)


def test_one_group_of_two_labels_is_two_objects(own: Path) -> None:
    np.testing.assert_array_equal(covered(own, shape(SQUARE, group=1), shape(WIDE, label="b", group=1)), cells())


def test_labels_are_classes_and_some_are_ignored(own: Path) -> None:
    write(own, "ape", shape(SQUARE, label="fat"), shape(WIDE, label=7), shape(HOLE, label="__ignore__"))
    write(own, "bee")
    dataset = made(own, "--classes")
    assert dataset.class_names == ("background", "7", "fat")
    ape, bee = loaded(dataset, "label")
    assert [np.count_nonzero(ape == value) for value in (1, 2, 255)] == [160, 96, 16]
    assert not bee.any()


def test_files_in_a_folder_of_their_own(own: Path) -> None:
    (own.parent / "drawn").mkdir()
    for name in ("ape", "bee"):
        write(own.parent / "drawn", name, shape(SQUARE), shape(WIDE), imagePath=f"..\\own\\{name}.png")
    dataset = prepare("folder", "--images", own, "--masks", own.parent / "drawn", "--output", own.parent / "out")
    for instances in loaded(dataset, "instance"):
        np.testing.assert_array_equal(instances, cells())


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (shape([[3, 4]], "point"), "bee.json: shape 2 is a point, which encloses no area"),
        (shape(WIDE, "linestrip"), "shape 2 is a linestrip, which encloses no area"),
        (shape(WIDE, label=""), "shape 2 has no label"),
        (shape(WIDE, label="_background_"), "shape 2 is _background_"),
        (shape(WIDE[:2]), "shape 2 has an outline of 2 points"),
        (shape(None), "shape 2 has a point that is not two numbers"),
        (shape(5, "rectangle"), "shape 2 has a point that is not two numbers"),
        (shape(WIDE, "circle"), "shape 2 has 4 points, not 2"),
        (shape([[1, 2], [3, float("nan")]], "circle"), "or infinite ones"),
        (shape([[1, 2], [3, 4]], "mask"), "shape 2 has a mask that cannot be read (it is missing)"),
        ({**shape([[1, 2], [3, 4]], "mask"), "mask": "iVBORw0KGgo="}, "shape 2 has a mask that cannot be read"),
        ({**shape([[1, 2], [3, 4]], "mask"), "mask": png(np.ones((9, 3)))}, "9 x 3 pixels (H x W) in a box of 3 x 3"),
        (7, "bee.json: is not LabelMe"),
    ],
)
def test_what_is_no_object(own: Path, capsys: pytest.CaptureFixture[str], bad: Any, message: str) -> None:
    write(own, "ape", shape(SQUARE))
    write(own, "bee", shape(SQUARE), bad)
    assert message in refused(own, capsys)


def test_an_image_of_another_size(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(own, "ape", shape(SQUARE))
    write(own, "bee", shape(SQUARE), imageHeight=33, imageWidth=24)
    assert "bee.json: has objects for 33 x 24 pixels (H x W), bee.png has 24 x 33" in refused(own, capsys)
