"""Training by the real server; these tests follow each other."""

from __future__ import annotations

import json

import nibabel
import numpy as np
import pytest
import torch
from PIL import Image

from .running import NAME, OTHER, SIZE, STEMS, differ


@pytest.mark.slow
class TestTraining:
    def test_training_without_labels_is_told(self, server):
        status, _, content = server.request("POST", f"/train/{NAME}", {"max_epochs": 1})
        assert status == 400
        assert "no final label yet" in json.loads(content)["detail"]
        assert server.request("GET", "/train/")[0] == 404  # nothing was started

    @pytest.mark.parametrize(
        "options", [{"max_epochs": "$1 + 1"}, {"max_epochs": 0}, {"device": "$torch.device('cpu')"}]
    )
    def test_options_that_cannot_be(self, server, options):
        label = server.labels / "05.png"
        server.json("PUT", "/datastore/label?image=plain1&tag=final", files={"label": label})
        status, _, content = server.request("POST", f"/train/{NAME}", options)
        server.json("DELETE", "/datastore/label?id=plain1&tag=final")
        assert status == 400
        assert next(iter(options)) in json.loads(content)["detail"]

    def test_training_from_one_label_drawn_in_slicer(self, server, own_masks, tmp_path):
        drawn = np.asarray(Image.open(server.labels / "00.png")) > 0
        label = tmp_path / "label.nii.gz"
        nibabel.save(nibabel.nifti1.Nifti1Image(drawn.T[:, :, None].astype(np.uint8), np.eye(4)), label)
        assert server.json("PUT", "/datastore/label?image=gray&tag=final", files={"label": label})["label"] == "gray"
        before = server.weights()
        assert server.train(max_epochs=1)["status"] == "DONE"
        assert differ(server.weights(), before)
        packaged = torch.load(server.bundles[OTHER] / "models" / "model.pt", weights_only=True)
        assert not differ(server.weights(OTHER), {key: value.float() for key, value in packaged.items()})
        after = server.mask(f"/infer/{NAME}?image=gray&output=image")
        assert after.shape == SIZE
        assert (after != own_masks["gray"]).any()

    def test_training_from_five_labels(self, server):
        for number, stem in enumerate(STEMS[1:5], start=1):
            label = server.labels / f"{number:02d}.png"
            server.json("PUT", f"/datastore/label?image={stem}&tag=final", files={"label": label})
        before, mask = server.weights(), server.mask(f"/infer/{NAME}?image=plain1&output=image")
        task = server.train(max_epochs=3, steps_per_epoch=100, val_split=0.2)  # enough to be better than before
        assert task["status"] == "DONE"
        assert differ(server.weights(), before)
        assert (server.mask(f"/infer/{NAME}?image=plain1&output=image") != mask).any()

    def test_what_is_left_to_label_after_that(self, server):
        for strategy in ("first", "random", "random", "entropy"):  # the one image again within a second
            assert server.json("POST", f"/activelearning/{strategy}")["id"] == "plain1"

    def test_training_from_scratch(self, server):
        before = server.weights()
        assert server.train(max_epochs=1, steps_per_epoch=1, pretrained=False)["status"] == "DONE"
        assert differ(server.weights(), before)
        assert "> steps_per_epoch: 1\n" in (server.app / "logs" / "app.log").read_text()
