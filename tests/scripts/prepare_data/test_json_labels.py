"""GeoJSON as QuPath writes it, and COCO."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from custom.data import write_image

from .common import SHAPE, prepare, random_pixels
from .drawn import HOLE, SQUARE, WIDE, cells, loaded, made, refused, two_images


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return two_images(tmp_path)


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

    def test_a_collection_of_geometries_is_one_object(self, own: Path) -> None:
        parts = [feature(SQUARE)["geometry"], feature(WIDE, kind="MultiPolygon")["geometry"]]
        both = {"type": "Feature", "geometry": {"type": "GeometryCollection", "geometries": parts}}
        for name, content in (("ape", [both]), ("bee", [feature(SQUARE, WIDE, kind="MultiPolygon")])):
            (own / f"{name}.geojson").write_text(json.dumps(content))
        ape, bee = loaded(made(own, "--instances"), "instance")
        np.testing.assert_array_equal(ape, bee)
        np.testing.assert_array_equal(ape, cells() > 0)

    def test_derived_classes_in_the_forms_of_several_versions(self, own: Path) -> None:
        """And properties of other programs, a third coordinate, names that are not ASCII."""
        derived = feature(SQUARE)
        derived["properties"] |= {"classification": {"names": ["Zelle µ", "CD3+"]}, "measurements": {"Area": None}}
        older = feature([[*point, 0.0] for point in WIDE])
        older["properties"]["classification"] = {"name": "CD3+", "parentClass": {"name": "Zelle µ"}, "colorRGB": -1}
        text = feature(HOLE)
        text["properties"] = {"classification": "fat"}
        bare = feature(SQUARE) | {"properties": None, "bbox": [1, 2, 3, 4]}
        collection = {"type": "FeatureCollection", "crs": {}, "features": [text, bare]}
        for name, content in (("ape", [derived, older]), ("bee", collection)):
            (own / f"{name}.geojson").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
        dataset = made(own, "--classes")
        assert dataset.class_names == ("background", "Zelle µ: CD3+", "fat", "object")
        ape, bee = loaded(dataset, "label")
        assert [np.count_nonzero(ape == value) for value in (1, 2, 3)] == [96 + 176, 0, 0]
        assert [np.count_nonzero(bee == value) for value in (1, 2, 3)] == [0, 16, 96]

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
            (
                json.dumps({"type": "Feature", "geometry": {"type": "GeometryCollection", "geometries": []}}),
                "object 1 is a GeometryCollection, not a polygon",
            ),
            (
                json.dumps({"type": "Feature", "geometry": {"type": "GeometryCollection", "geometries": 7}}),
                "object 1 has no list",
            ),
            (
                json.dumps({"type": "Feature", "geometry": {"type": "MultiPolygon", "coordinates": None}}),
                "object 1 has no list",
            ),
            (json.dumps([feature([[1, 2], [3, 4]])]).replace("3, 4", '"a", 4'), "a point that is not two numbers"),
            (json.dumps([feature(SQUARE)]).replace("20", "Infinity"), "infinite"),
            (json.dumps([{"type": "Feature", "geometry": None}]), "object 1 is a feature without geometry"),
            (json.dumps([{"type": "Feature", "geometry": "Polygon"}]), "bee.geojson: is not GeoJSON"),
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

    def test_paths_of_windows_and_accents_stored_in_another_way(self, own: Path) -> None:
        """File systems of macOS part an accent from its letter, most writers of JSON do not."""
        (own / "ape.png").rename(own / unicodedata.normalize("NFD", "Bär.png"))
        content = coco()
        content["images"][0] |= {"file_name": "C:\\data\\Bär.png", "height": SHAPE[0], "width": SHAPE[1]}
        (own / "labels.json").write_text(json.dumps(content))
        for instances in loaded(made(own), "instance"):
            np.testing.assert_array_equal(instances, cells())

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda c: c["images"][0].update(file_name="dog.png"), "names dog.png, which is not among the images"),
            (lambda c: c["images"][0].update(file_name="x/bee.png"), "names bee.png 2 times"),
            (lambda c: c["annotations"][0].update(segmentation=[]), "annotation 0 has no outline"),
            (lambda c: c["annotations"][2]["segmentation"]["counts"].append(5), "annotation 2 has run lengths that"),
            (lambda c: c["annotations"][0].pop("image_id"), "is not COCO"),
            (lambda c: c["categories"][0].pop("name"), "its `categories` need an `id` and a `name`"),
            (
                lambda c: c["annotations"][0].update(image_id="7"),
                "annotation 0 is of image '7', which `images` does not",
            ),
            (
                lambda c: c["annotations"][0]["segmentation"][0].append(5),
                "annotation 0 has an outline that is not a list",
            ),
            (lambda c: c["annotations"][0].update(segmentation=[1, 2, 3, 4]), "has an outline that is not a list"),
            (lambda c: c["images"][0].update(height=48, width=66), "has objects for 48 x 66 pixels (H x W), ape.png"),
            (lambda c: c["annotations"][2]["segmentation"].update(size=SHAPE[::-1]), "for 33 x 24 pixels (H x W), bee"),
        ],
    )
    def test_other_content(self, own: Path, capsys: pytest.CaptureFixture[str], change: Any, message: str) -> None:
        content = coco()
        change(content)
        (own / "labels.json").write_text(json.dumps(content))
        assert message in refused(own, capsys)
