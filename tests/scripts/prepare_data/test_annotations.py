"""Labels as other programs save them, made by those programs' own writers where they have one in Python."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import roifile
import tifffile
from numpy.typing import NDArray
from roifile import ROI_TYPE, ImagejRoi

from custom.data import LoadMicroscopyd, write_image
from custom.data.datalist import Datalist

from .common import SHAPE, prepare, random_pixels, refusal

SQUARE = [[4, 3], [20, 3], [20, 9], [4, 9]]  # corners (x, y)
WIDE = [[8, 12], [30, 12], [30, 20], [8, 20]]
HOLE = [[10, 14], [14, 14], [14, 18], [10, 18]]


def cells() -> NDArray[np.uint16]:
    """The two rectangles, numbered."""
    mask = np.zeros(SHAPE, np.uint16)
    mask[3:9, 4:20], mask[12:20, 8:30] = 1, 2
    return mask


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Two images without labels."""
    for name in ("ape", "bee"):
        write_image(tmp_path / "own" / f"{name}.png", random_pixels())
    return tmp_path / "own"


def made(own: Path, *more: str) -> Datalist:
    return prepare("folder", "--source", own, "--output", own.parent / "out", *more)


def refused(own: Path, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    return refusal(capsys, "folder", "--source", own, "--output", own.parent / "out", *more)


def loaded(dataset: Datalist, key: str) -> list[NDArray]:
    items = sorted(dataset.training + dataset.validation, key=lambda item: item["image"])
    return [LoadMicroscopyd()(item)[key][0].numpy() for item in items]


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
        assert "ape is a line without area, which encloses no area" in refused(own, capsys)
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


def feature(*rings: Any, name: str | None = None, kind: str = "Polygon", **geometry: Any) -> dict[str, Any]:
    """A feature as QuPath 0.5 writes it: rings are closed, coordinates may have fractions."""
    closed = [[*ring, ring[0]] for ring in rings]
    coordinates = closed if kind == "Polygon" else [[ring] for ring in closed]
    properties: dict[str, Any] = {"objectType": "annotation"}
    if name is not None:
        properties["classification"] = {"name": name, "color": [200, 0, 0]}
    geometry = {"type": kind, "coordinates": coordinates, **geometry}
    return {"type": "Feature", "id": "a-b-c", "geometry": geometry, "properties": properties}


class TestGeoJson:
    def test_objects(self, own: Path) -> None:
        collection = {"type": "FeatureCollection", "features": [feature(SQUARE), feature(WIDE)]}
        (own / "ape.geojson").write_text(json.dumps(collection))
        (own / "bee.geojson").write_text(json.dumps([feature(SQUARE, name="x"), feature(WIDE, name="x")]))
        for instances in loaded(made(own, "--instances"), "instance"):
            np.testing.assert_array_equal(instances, cells())

    def test_classes_with_names_holes_and_parts(self, own: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (own / "ape.geojson").write_text(json.dumps([feature(SQUARE, name="tumor"), feature(WIDE, HOLE, name="fat")]))
        (own / "bee.json").write_text(json.dumps(feature(SQUARE, WIDE, name="tumor", kind="MultiPolygon")))
        assert "have 2 classes (fat, tumor); say --classes" in refused(own, capsys)
        dataset = made(own, "--classes")
        assert json.loads((own.parent / "out/dataset.json").read_text())["labels"] == {
            "0": "background",
            "1": "fat",
            "2": "tumor",
        }
        ape, bee = loaded(dataset, "label")
        assert [(ape == value).sum() for value in (1, 2)] == [176 - 16, 96]
        assert [(bee == value).sum() for value in (1, 2)] == [0, 176 + 96]

    @pytest.mark.parametrize("kind", ["--classes", "--instances"])
    def test_what_qupath_ignores(self, own: Path, kind: str) -> None:
        """The smaller region is on top, here the one to ignore in a larger object, and an object in the other one."""
        inner = [[10, 14], [14, 14], [14, 18], [10, 18]]
        ape = [feature(WIDE, name="fat"), feature(inner, name="Ignore*"), feature(SQUARE, name="tumor")]
        bee = [feature(WIDE, name="Ignore*"), feature(inner, name="tumor")]
        for name, features in (("ape", ape), ("bee", bee)):
            (own / f"{name}.geojson").write_text(json.dumps(features))
        dataset = made(own, kind)
        assert dataset.class_names == (
            ("background", "fat", "tumor") if kind == "--classes" else ("background", "cell")
        )
        first, second = loaded(dataset, "label")
        assert [(first == value).sum() for value in (255, 0)] == [16, first.size - 176 - 96]
        assert [(second == value).sum() for value in (255, 0)] == [176 - 16, second.size - 176]

    def test_planes_of_a_stack(self, tmp_path: Path) -> None:
        own = tmp_path / "own"
        own.mkdir()
        tifffile.imwrite(own / "s.tif", random_pixels(2, *SHAPE), photometric="minisblack")
        later = feature(WIDE, plane={"c": -1, "z": 1, "t": 0})
        (own / "s.geojson").write_text(json.dumps([feature(SQUARE), later]))
        first, second = loaded(made(own), "instance")
        assert (np.count_nonzero(first), np.count_nonzero(second)) == (96, 176)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("{", "bee.geojson: is not JSON"),
            ('{"type": "Topology"}', "bee.geojson: is not GeoJSON"),
            (json.dumps([{"type": "Feature", "geometry": {"type": "Point"}}]), "object 1 is a Point"),
            (json.dumps([feature([[1, 2], [3, 4]])]).replace("3, 4", '"a", 4'), "a point that is not two numbers"),
            (json.dumps([feature(SQUARE)]).replace("20", "Infinity"), "infinite"),
        ],
    )
    def test_other_content(self, own: Path, capsys: pytest.CaptureFixture[str], text: str, message: str) -> None:
        (own / "ape.geojson").write_text(json.dumps([feature(SQUARE)]))
        (own / "bee.geojson").write_text(text)
        assert message in refused(own, capsys)


def coco() -> dict[str, Any]:
    """The two rectangles in one image as polygons, in the other as run lengths."""
    runs = []
    for number in (1, 2):
        flat = (cells() == number).T.ravel()
        changes = np.flatnonzero(np.diff(flat.astype(int))) + 1
        runs.append(np.diff([0, *changes, flat.size]).tolist())
    segmentations = [*([np.ravel(ring).tolist()] for ring in (SQUARE, WIDE))]
    segmentations += [{"size": list(SHAPE), "counts": counts} for counts in runs]
    return {
        "images": [{"id": 7, "file_name": "ape.png"}, {"id": 9, "file_name": "deep/bee.png"}],
        "categories": [{"id": 3, "name": "cell"}],
        "annotations": [
            {"id": n, "image_id": (7, 9)[n // 2], "category_id": 3, "iscrowd": 0, "segmentation": segmentation}
            for n, segmentation in enumerate(segmentations)
        ],
    }


class TestCoco:
    def test_polygons_and_run_lengths(self, own: Path, capsys: pytest.CaptureFixture[str]) -> None:
        write_image(own / "cat.png", random_pixels())
        (own / "labels.json").write_text(json.dumps(coco()))
        for instances in loaded(made(own), "instance"):
            np.testing.assert_array_equal(instances, cells())
        assert "skipped: cat.png" in capsys.readouterr().out

    def test_a_group_of_objects_is_ignored(self, own: Path) -> None:
        content = coco()
        content["annotations"][1]["iscrowd"] = content["annotations"][3]["iscrowd"] = 1
        (own / "labels.json").write_text(json.dumps(content))
        dataset = made(own)
        assert json.loads((own.parent / "out/dataset.json").read_text())["ignore_value"] == 65535
        for instances in loaded(dataset, "instance"):
            np.testing.assert_array_equal(instances, np.where(cells() == 2, -1, cells().astype(np.int32)))

    def test_a_file_elsewhere_and_compressed_runs(self, own: Path, tmp_path: Path) -> None:
        content = coco()
        # By pycocotools, of the mask below.
        counts = "Z32??H000007A8000000000000000000000000000000000000000m1O"
        content["annotations"][2:] = [{**content["annotations"][2], "segmentation": {"size": SHAPE, "counts": counts}}]
        (tmp_path / "coco.json").write_text(json.dumps(content))
        run = ("folder", "--images", own, "--masks", tmp_path / "coco.json", "--output", tmp_path / "out", "--classes")
        expected = np.zeros(SHAPE)
        expected[3:20, 5:9] = expected[10:12, 4:30] = expected[23, 32] = 1
        np.testing.assert_array_equal(loaded(prepare(*run), "label")[1], expected)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda c: c["images"][0].update(file_name="dog.png"), "names dog.png, which is not among the images"),
            (lambda c: c["images"][0].update(file_name="x/bee.png"), "names bee.png 2 times"),
            (lambda c: c["annotations"][0].update(segmentation=[]), "annotation 0 has no outline"),
            (lambda c: c["annotations"][2]["segmentation"]["counts"].append(5), "annotation 2 has run lengths that"),
            (lambda c: c["annotations"][0].pop("image_id"), "is not COCO"),
        ],
    )
    def test_other_content(self, own: Path, capsys: pytest.CaptureFixture[str], change: Any, message: str) -> None:
        content = coco()
        change(content)
        (own / "labels.json").write_text(json.dumps(content))
        assert message in refused(own, capsys)


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
