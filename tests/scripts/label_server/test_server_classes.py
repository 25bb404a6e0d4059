"""A model of three classes and two channels on the real server: masks, polygons, labels, training."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from custom import Segmenter
from custom.data import make_synthetic, read_image
from custom.data.synthetic_cells import CHANNELS, LABELS
from custom.model import ClassInfo, Model, read_model
from tests.models import make_model

from .running import Server, running

NAME, SIZE, STEMS = "unet_tiny", (150, 210), ("00.ome", "01.ome", "02.ome", "03.ome", "04.ome", "pages")


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Model:
    """A random model, whose packaged training is as short as a test's can be."""
    torch.manual_seed(0)
    return make_model(
        tmp_path_factory.mktemp("model"),
        network_def={"_target_": "ValidUNet", "features": 4, "depth": 2, "in_channels": 2, "out_channels": 3},
        classes=[ClassInfo(name=name, value=int(value)) for value, name in LABELS.items()],
        channels=list(CHANNELS),
    )


@pytest.fixture(scope="module")
def server(model, tmp_path_factory) -> Iterator[Server]:
    """Images whose channels have names, and one whose pages have none: `--axes` says that they are channels."""
    folder = tmp_path_factory.mktemp("label")
    drawn = make_synthetic(folder / "drawn", seed=2, size=SIZE, counts={"training": 6}, kind="cells")
    studies = folder / "studies"
    studies.mkdir()
    for number, stem in enumerate(STEMS):
        planes = tifffile.imread(drawn / "training" / "image" / f"{number:02d}.ome.tif")
        if stem == "pages":
            tifffile.imwrite(studies / "pages.tif", planes, photometric="minisblack", metadata=None)
        else:
            tifffile.imwrite(studies / f"{stem}.tif", planes, ome=True, photometric="minisblack")
        label = np.asarray(Image.open(drawn / "training" / "label" / f"{number:02d}.png"))
        Image.fromarray(label // 100).save(folder / f"{stem}.png")
    options = ["--model", str(model.folder), "--app", str(folder / "app"), "--axes", "CYX"]
    with running(studies, *options) as address:
        yield Server(address, studies, {}, folder, folder / "app")


@pytest.mark.slow
class TestClasses:
    def test_it_says_which_classes_and_channels(self, server):
        info = server.json("GET", "/info/")
        assert info["labels"] == ["cytoplasm", "nucleus"]
        described = info["models"][NAME]
        assert described["classes"] == {"0": "background", "1": "cytoplasm", "2": "nucleus"}
        assert described["channels"] == list(CHANNELS)

    @pytest.mark.parametrize("stem", ["00.ome", "pages"])
    def test_a_mask_has_the_numbers_of_the_classes(self, server, model, stem):
        mask = server.mask(f"/infer/{NAME}?image={stem}&output=image")
        expected = Segmenter(model, device="cpu")(server.studies / f"{stem}.tif", axes="CYX").mask
        np.testing.assert_array_equal(mask * 100, expected)
        assert len(np.unique(mask)) > 1

    def test_polygons_name_their_class(self, server):
        region = {"location": [0, 0], "size": [0, 0], "min_poly_area": 0}
        mask = server.mask(f"/infer/{NAME}?image=pages&output=image")
        status, _, content = server.request("POST", f"/infer/wsi/{NAME}?image=pages&output=asap", region)
        assert status == 200, content
        for number, name in enumerate(("cytoplasm", "nucleus"), start=1):
            assert (f'Name="{name}"' in content.decode()) == bool((mask == number).any())

    @pytest.mark.parametrize(("name", "message"), [("one.tif", "2 are wanted"), ("three.tif", "choose with --channel")])
    def test_another_number_of_channels_is_refused(self, server, tmp_path, name, message):
        planes = np.random.default_rng(0).integers(0, 255, (1 if name == "one.tif" else 3, *SIZE), np.uint8)
        tifffile.imwrite(tmp_path / name, planes, photometric="minisblack", metadata=None)
        status, _, content = server.request("PUT", "/datastore/image?image=new", files={"file": tmp_path / name})
        assert status == 400
        assert message in json.loads(content)["detail"]

    def test_the_values_of_the_data_set_are_refused_as_labels(self, server, tmp_path):
        Image.fromarray(np.asarray(Image.open(server.labels / "pages.png")) * 100).save(tmp_path / "a.png")
        status, _, content = server.request("PUT", "/datastore/label?image=pages", files={"label": tmp_path / "a.png"})
        assert status == 400
        said = "has the value 100; give 0 background, 1 cytoplasm, 2 nucleus, or 255 where nothing is known"
        assert said in json.loads(content)["detail"]

    def test_it_learns_three_classes(self, server, model):
        for stem in STEMS[1:]:
            server.json(
                "PUT", f"/datastore/label?image={stem}&tag=final", files={"label": server.labels / f"{stem}.png"}
            )
        before, mask = server.weights(NAME), server.mask(f"/infer/{NAME}?image=00.ome&output=image")
        task = server.train(NAME, max_epochs=2, steps_per_epoch=10)
        assert task["status"] == "DONE", task
        after = server.weights(NAME)
        assert any(not torch.equal(before[key], after[key]) for key in before)
        assert (server.mask(f"/infer/{NAME}?image=00.ome&output=image") != mask).any()
        trained = read_model(server.app / "model" / NAME / "models")
        assert (trained.classes, trained.channels) == (model.classes, model.channels)
        assert trained.data_source == f"{model.data_source}; annotations made with MONAI Label"
        assert trained.training["validation_images"] == 1
        assert {score.measure for score in trained.scores} >= {"iou_cytoplasm", "iou_nucleus"}

    def test_what_it_learnt_is_what_inferring_uses(self, server):
        trained: Path = server.app / "model" / NAME / "models"
        mask = server.mask(f"/infer/{NAME}?image=00.ome&output=image")
        found = Segmenter(trained, device="cpu")(server.studies / "00.ome.tif", axes="CYX")
        np.testing.assert_array_equal(mask * 100, found.mask)
        saved = server.json("POST", f"/batch/infer/{NAME}?run_sync=true", {"images": ["00.ome"]})
        assert saved.keys() == {"00.ome"}
        np.testing.assert_array_equal(read_image(server.studies / "labels" / "original" / "00.ome.png"), mask)
