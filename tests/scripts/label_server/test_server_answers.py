"""Masks, polygons and suggestions of the real server are those of the repository's own commands."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree

import nibabel
import numpy as np
import pytest
import torch

from custom.data import read_image, to_gray
from custom.inferers import OverlapTileInferer
from scripts.label_server.app.lib.polygons import signed_area

from .helpers import draw
from .running import NAME, OTHER, SIZE, STEMS, file_of, masks_of, network_of


@pytest.mark.slow
class TestAnswers:
    def test_it_lists_what_it_has(self, server):
        info = server.json("GET", "/info/")
        assert list(info["models"]) == list(info["trainers"]) == [NAME, OTHER]
        assert info["labels"] == ["cell"]
        assert {model["dimension"] for model in info["models"].values()} == {2}
        assert set(info["strategies"]) == {"random", "first", "entropy"}
        assert info["datastore"]["total"] == len(STEMS)

    def test_its_page_needs_no_internet(self, server):
        status, kind, page = server.request("GET", "/")
        assert (status, kind) == (200, "text/html")
        for file in re.findall(r'(?:src|href)="([^"]+\.(?:js|css))"', page.decode()):
            assert server.request("GET", file)[0] == 200, file

    @pytest.mark.parametrize("stem", STEMS)
    def test_a_mask_is_that_of_inferring(self, server, own_masks, stem):
        assert own_masks[stem].shape == SIZE
        assert 0 < own_masks[stem].mean() < 1
        mask = server.mask(f"/infer/{NAME}?image={stem}&output=image")
        assert mask.dtype == np.uint8
        np.testing.assert_array_equal(mask, own_masks[stem])

    def test_a_second_bundle_answers_as_its_own_source(self, server, own_masks, tmp_path):
        others = masks_of(server, OTHER, tmp_path / "other")
        for stem in STEMS:
            np.testing.assert_array_equal(server.mask(f"/infer/{OTHER}?image={stem}&output=image"), others[stem])
        assert any((others[stem] != own_masks[stem]).any() for stem in STEMS)
        np.testing.assert_array_equal(server.mask(f"/infer/{NAME}?image=gray&output=image"), own_masks["gray"])

    @pytest.mark.parametrize("stem", ["gray", "sixteen", "colour"])
    def test_an_uploaded_file_gives_the_same_mask(self, server, own_masks, stem):
        file = file_of(server, stem)
        mask = server.mask(f"/infer/{NAME}?output=image", files={"file": file})
        np.testing.assert_array_equal(mask, own_masks[stem])

    @pytest.mark.parametrize("route", ["wsi", "wsi_v2"])
    def test_qupath_gets_polygons_of_the_mask(self, server, own_masks, route):
        region = {"location": [0, 0], "size": [0, 0], "min_poly_area": 0}
        if route == "wsi":
            answer = server.request("POST", f"/infer/wsi/{NAME}?image=gray&output=asap", region)
        else:
            body, files = {"wsi": json.dumps(region)}, {"file": file_of(server, "gray")}
            answer = server.request("POST", f"/infer/wsi_v2/{NAME}?output=asap", body, files)
        status, _, content = answer
        assert status == 200, content
        root = ElementTree.fromstring(content)
        polygons = [
            [[int(point.get("X", -1)), int(point.get("Y", -1))] for point in annotation.iter("Coordinate")]
            for annotation in root.iter("Annotation")
        ]
        assert {annotation.get("Name") for annotation in root.iter("Annotation")} == {"cell"}
        mask = own_masks["gray"]
        assert sum(signed_area(polygon) for polygon in polygons) == mask.sum()
        drawn = np.logical_or.reduce([draw(polygon, SIZE) for polygon in polygons])
        np.testing.assert_array_equal(drawn, mask == 1)

    def test_a_region_is_cut_out_of_the_whole(self, server, own_masks):
        region = {"location": [40, 30], "size": [100, 60], "min_poly_area": 0}
        _, _, content = server.request("POST", f"/infer/wsi/{NAME}?image=gray&output=asap", region)
        points = [
            (int(p.get("X", -1)), int(p.get("Y", -1))) for p in ElementTree.fromstring(content).iter("Coordinate")
        ]
        x, y = np.array(points).T
        assert (x.min(), y.min(), x.max(), y.max()) == (40, 30, 140, 90)
        status, _, content = server.request("POST", f"/infer/wsi/{NAME}?image=gray&output=asap", {**region, "level": 1})
        assert (status, json.loads(content)["detail"][:8]) == (400, "level: 1")

    def test_cvat_gets_annotations(self, server, own_masks):
        body = {"params": json.dumps({"output": "json"})}
        answer = server.json("POST", f"/infer/{NAME}", body, {"file": file_of(server, "plain1")})
        elements = [element for item in answer["annotations"] for element in item["annotation"]["elements"]]
        assert {element["label"] for element in elements} == {"cell"}
        area = sum(signed_area(contour) for element in elements for contour in element["contours"])
        assert area == own_masks["plain1"].sum()

    def test_slicer_gets_its_format_when_it_asks(self, server, own_masks, tmp_path):
        body = {"params": json.dumps({"result_extension": ".nii.gz", "result_dtype": "uint8"})}
        answer = server.request("POST", f"/infer/{NAME}?output=image", body, {"file": file_of(server, "gray")})
        (tmp_path / "label.nii.gz").write_bytes(answer[2])
        label = np.asarray(nibabel.nifti1.load(tmp_path / "label.nii.gz").dataobj).squeeze()
        np.testing.assert_array_equal(label.T, own_masks["gray"])

    @pytest.mark.parametrize(
        ("method", "path", "status", "message"),
        [
            ("POST", f"/infer/{NAME}?image=nowhere&output=image", 404, "unknown image 'nowhere'"),
            ("POST", "/infer/other?image=gray&output=image", 404, "unknown model 'other'"),
            ("POST", "/infer/wsi/other?image=gray&output=asap", 404, "unknown model 'other'"),
            ("POST", "/train/other", 404, "unknown model 'other'"),
            ("POST", "/batch/infer/other", 404, "unknown model 'other'"),
            ("POST", "/activelearning/other", 404, "unknown strategy 'other'"),
            ("GET", "/datastore/image?image=nowhere", 404, "NOT Found"),
            ("POST", f"/infer/{NAME}?output=image", 400, "image: name an image of the datastore, or send a file"),
            ("POST", f"/infer/wsi/{NAME}?output=asap", 400, "image: name an image of the datastore, or send a file"),
            ("POST", f"/infer/{NAME}?image=gray&output=dicom_seg", 400, "give image, json or all"),
        ],
    )
    def test_what_is_not_there_or_not_given_is_told(self, server, method, path, status, message):
        answer = server.request(method, path, {} if "wsi" in path else None)
        assert answer[0] == status
        assert message in json.loads(answer[2])["detail"]

    def test_a_label_for_an_unknown_image_is_told(self, server):
        answer = server.request("PUT", "/datastore/label?image=nowhere", files={"label": server.labels / "00.png"})
        assert answer[0] == 404
        assert json.loads(answer[2])["detail"].startswith("unknown image 'nowhere'")

    def test_a_broken_image_is_told(self, server, tmp_path):
        (tmp_path / "broken.png").write_bytes(b"no image")
        answer = server.request("POST", f"/infer/{NAME}?output=image", files={"file": tmp_path / "broken.png"})
        assert answer[0] == 400
        assert "truncated, corrupt or not an image" in json.loads(answer[2])["detail"]

    def test_the_next_image_by_each_strategy(self, server):
        assert server.json("POST", "/activelearning/first")["id"] == min(STEMS)
        assert server.json("POST", "/activelearning/random")["id"] in STEMS
        for name in (NAME, OTHER, NAME):
            network, inferer, entropies = network_of(server, name), OverlapTileInferer(), {}
            for stem in STEMS:
                image = torch.from_numpy(to_gray(read_image(file_of(server, stem))))[None, None]
                p = torch.softmax(inferer(image, network), dim=1)
                entropies[stem] = float(-(p * p.log()).sum(dim=1).mean())
            chosen = server.json("POST", "/activelearning/entropy", {} if name == NAME else {"model": name})
            assert chosen["id"] == max(entropies, key=lambda stem: entropies[stem])
            assert chosen["entropy"] == pytest.approx(entropies[chosen["id"]], abs=1e-3)

    def test_a_batch_is_segmented(self, server, own_masks):
        assert server.json("POST", f"/batch/infer/{NAME}?run_sync=true").keys() == set(STEMS)
        for stem in STEMS:
            saved = server.studies / "labels" / "original" / f"{stem}.png"
            np.testing.assert_array_equal(read_image(saved), own_masks[stem])
