"""Labels as ImageJ and napari save them, made by their own writers, and labels of several programs together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import roifile
import tifffile
from roifile import ROI_TYPE, ImagejRoi

from custom.data import write_image

from .common import SHAPE, random_pixels, refusal
from .drawn import HOLE, SQUARE, WIDE, cells, loaded, made, refused, two_images


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return two_images(tmp_path)


def outlined(points: Any, **more: Any) -> ImagejRoi:
    return ImagejRoi.frompoints(points, **more)


class TestImageJ:
    def test_outlines_of_a_zip(self, own: Path) -> None:
        for name, points in (("ape_RoiSet.zip", np.array), ("bee_rois.zip", lambda x: np.array(x, np.float32))):
            roifile.roiwrite(own / name, [outlined(points(SQUARE), name="a"), outlined(points(WIDE), name="b")])
        for instances in loaded(made(own), "instance"):
            np.testing.assert_array_equal(instances, cells())

    def test_rectangle_oval_and_composite(self, own: Path) -> None:
        box = {"left": 2, "top": 4, "right": 26, "bottom": 20}
        rectangle = ImagejRoi(roitype=ROI_TYPE.RECT, **box)
        ring = [0, *WIDE[0], *(x for point in WIDE[1:] for x in (1, *point)), 4]
        ring += [0, *HOLE[0], *(x for point in HOLE[1:] for x in (1, *point)), 4]
        path = np.array(ring, np.float32)
        composite = ImagejRoi(
            roitype=ROI_TYPE.RECT,
            left=8,
            top=12,
            right=30,
            bottom=20,
            multi_coordinates=path,
            shape_roi_size=len(path),
        )
        oval = ImagejRoi(roitype=ROI_TYPE.OVAL, **box)
        for name, roi in (("ape", rectangle), ("bee", oval)):
            roi.tofile(own / f"{name}.roi")
        write_image(own / "cat.png", random_pixels())
        composite.tofile(own / "cat.roi")
        in_box, in_oval, in_ring = loaded(made(own), "instance")
        expected = np.zeros(SHAPE)
        expected[4:20, 2:26] = 1
        np.testing.assert_array_equal(in_box, expected)
        rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]] + 0.5
        inside = ((rows - 12) / 8) ** 2 + ((columns - 14) / 12) ** 2 < 1
        assert (in_oval.astype(bool) != inside).mean() < 0.005
        expected = np.zeros(SHAPE)
        expected[12:20, 8:30] = 1
        expected[14:18, 10:14] = 0
        np.testing.assert_array_equal(in_ring, expected)

    def test_positions_in_a_stack(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        own = tmp_path / "own"
        own.mkdir()
        tifffile.imwrite(own / "s.tif", random_pixels(3, *SHAPE), photometric="minisblack")
        rois = [outlined(np.array(SQUARE), position=0), outlined(np.array(WIDE), position=2)]
        roifile.roiwrite(own / "s.zip", rois)
        first, second, third = loaded(made(own), "instance")
        assert (np.count_nonzero(first), np.count_nonzero(second), np.count_nonzero(third)) == (96, 0, 176)
        (own / "s.zip").unlink()
        roifile.roiwrite(own / "s.zip", [outlined(np.array(SQUARE))])
        capsys.readouterr()
        assert "objects without a page" in refusal(
            capsys, "folder", "--source", own, "--output", tmp_path / "out2", "--split", "blocks"
        )

    def test_what_is_no_object(self, own: Path, capsys: pytest.CaptureFixture[str]) -> None:
        ImagejRoi(roitype=ROI_TYPE.LINE, x1=1, y1=2, x2=9, y2=9).tofile(own / "ape.roi")
        outlined(np.array(SQUARE)).tofile(own / "bee.roi")
        assert "ape is a line, which encloses no area" in refused(own, capsys)
        (own / "ape.roi").write_bytes(b"Iout" + bytes(20))
        assert "ape.roi: ape cannot be read" in refused(own, capsys)
        (own / "ape.roi").unlink()
        (own / "ape.zip").write_bytes(b"PK no zip")
        assert "ape.zip: truncated, corrupt or not a zip" in refused(own, capsys)

    def test_objects_in_another_scale(self, own: Path, capsys: pytest.CaptureFixture[str]) -> None:
        outlined(np.array(SQUARE)).tofile(own / "ape.roi")
        outlined(np.array(SQUARE) * 100).tofile(own / "bee.roi")
        assert "bee.roi: no object covers a pixel of bee.png, which has 24 x 33 pixels" in refused(own, capsys)

    def test_an_object_under_another_is_pointed_out(self, own: Path, capsys: pytest.CaptureFixture[str]) -> None:
        outlined(np.array(SQUARE)).tofile(own / "ape.roi")
        roifile.roiwrite(
            own / "bee.zip", [outlined(np.array(WIDE)), outlined(np.array(HOLE)), outlined(np.array(HOLE))]
        )
        _, instances = loaded(made(own), "instance")
        assert "bee.zip: 1 of 3 objects are outside of the image, smaller" in capsys.readouterr().err
        assert sorted(np.unique(instances, return_counts=True)[1].tolist())[:2] == [16, 176 - 16]


class TestMixtures:
    def test_masks_and_objects(self, own: Path, capsys: pytest.CaptureFixture[str]) -> None:
        write_image(own / "ape_mask.png", cells())
        outlined(np.array(SQUARE)).tofile(own / "bee.roi")
        assert "ape_mask.png is a mask, bee.roi holds objects" in refused(own, capsys)

    def test_no_object_anywhere(self, own: Path, capsys: pytest.CaptureFixture[str]) -> None:
        for name in ("ape", "bee"):
            (own / f"{name}.geojson").write_text('{"type": "FeatureCollection", "features": []}')
        assert "no object in any label" in refused(own, capsys)

    def test_an_image_without_objects_is_all_background(self, own: Path) -> None:
        outlined(np.array(SQUARE)).tofile(own / "ape.roi")
        (own / "bee.geojson").write_text("[]")
        assert [np.count_nonzero(mask) for mask in loaded(made(own), "instance")] == [96, 0]

    def test_ignore_is_for_masks(self, own: Path, capsys: pytest.CaptureFixture[str]) -> None:
        for name in ("ape", "bee"):
            outlined(np.array(SQUARE)).tofile(own / f"{name}.roi")
        assert "--ignore: is a mask value" in refused(own, capsys, "--ignore", "3")

    def test_labels_of_napari(self, own: Path) -> None:
        for name in ("ape", "bee"):  # as napari's Save of a labels layer
            tifffile.imwrite(own / f"{name}_labels.tif", cells().astype(np.int32), compression="zlib")
        for instances in loaded(made(own, "--instances"), "instance"):
            np.testing.assert_array_equal(instances, cells())
