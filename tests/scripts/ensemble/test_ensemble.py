"""`scripts.ensemble`, and the ensemble in the commands that take a model."""

from __future__ import annotations

import json
import shutil

import monai.bundle
import numpy as np
import pytest
import torch

from custom import Segmenter
from custom.data import read_image, write_image
from custom.exits import user_error
from custom.model import Postprocessing, Score, read_model, update_model
from custom.trained_images import RECORD
from scripts.ensemble.__main__ import combine, main
from scripts.package_bundle import __main__ as package_bundle
from tests.models import make_contact_model, make_model


@pytest.fixture
def members(tmp_path):
    made = []
    for number, (features, threshold) in enumerate(((2, 0.4), (3, 0.5))):
        torch.manual_seed(number)
        definition = {"_target_": "ValidUNet", "features": features, "depth": 1}
        post = Postprocessing(threshold=threshold)
        folder = tmp_path / f"member{number}"
        more = {"authors": f"Author {number}", "scores": [Score(measure="iou", value=0.5, on="its own images")]}
        made.append(make_model(folder, network_def=definition, postprocessing=post, **more))
    return made


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 255, (40, 57)).astype(np.uint8)


def make(members, tmp_path, *more) -> int:
    names = [str(member.folder) for member in members]
    return main(["--models", *names, "--name", "both", "--output", str(tmp_path / "models"), *more])


def test_an_ensemble_is_a_model_with_the_mean_probability(members, image, tmp_path, capsys):
    assert make(members, tmp_path) == 0
    assert "2 members" in capsys.readouterr().out
    both = read_model(tmp_path / "models" / "both")
    assert both.postprocessing.threshold == pytest.approx(0.45)
    assert both.authors == "Author 0; Author 1"
    assert both.scores == []  # those of the members are not its own
    mean = np.mean([Segmenter(member.folder)(image).probability for member in members], axis=0)
    found = Segmenter(both.folder)(image)
    np.testing.assert_allclose(found.probability, mean, atol=1e-6)
    np.testing.assert_array_equal(found.mask == 255, found.probability >= np.float32(0.45))


def test_an_ensemble_was_trained_on_the_images_of_all_members(members, tmp_path):
    members[0].training[RECORD] = ["a", "b"]
    update_model(members[0])
    assert make(members, tmp_path) == 0
    assert RECORD not in read_model(tmp_path / "models" / "both").training  # those of the second are unknown
    members[1].training[RECORD] = ["b", "c"]
    update_model(members[1])
    shutil.rmtree(tmp_path / "models")
    assert make(members, tmp_path) == 0
    assert read_model(tmp_path / "models" / "both").training[RECORD] == ["a", "b", "c"]


def test_inference_writes_where_the_members_disagree(members, image, tmp_path):
    make(members, tmp_path)
    write_image(tmp_path / "a.png", image)
    given = {"config_file": "bundle/configs/inference.json", "dataset_dir": str(tmp_path / "a.png")}
    given |= {"output_dir": str(tmp_path / "out"), "device": "cpu"}
    save = ["probability", "disagreement"]
    monai.bundle.run(run_id="inferring", model=str(tmp_path / "models" / "both"), save=save, **given)
    each = [Segmenter(member.folder, "cpu")(image).probability.astype(np.float64) for member in members]
    found = read_image(tmp_path / "out" / "disagreements" / "a.tif")
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.std(each, axis=0), atol=1e-6)
    assert found.max() > 0.01


def test_disagreement_of_a_single_network_is_refused(members, image, tmp_path):
    write_image(tmp_path / "a.png", image)
    with pytest.raises(RuntimeError) as failed:
        monai.bundle.run(
            run_id="inferring",
            config_file="bundle/configs/inference.json",
            dataset_dir=str(tmp_path / "a.png"),
            output_dir=str(tmp_path / "out"),
            model=str(members[0].folder),
            save=["disagreement"],
            device="cpu",
        )
    assert "this model is a single network" in str(user_error(failed.value))


def test_an_ensemble_can_be_packaged(members, tmp_path):
    make(members, tmp_path)
    model = str(tmp_path / "models" / "both")
    line = ["--model", model, "--name", "unet_both", "--output", str(tmp_path / "dist")]
    assert package_bundle.main(line) == 0
    config = json.loads((tmp_path / "dist" / "unet_both" / "configs" / "train.json").read_text())
    targets = [part["_target_"] for part in config["network_def"]["members"]]
    assert config["network_def"]["_target_"] == "unet_both_code.networks.Ensemble"
    assert targets == ["unet_both_code.networks.ValidUNet"] * 2


def test_members_have_to_agree(members, tmp_path, capsys):
    changed = members[1].model_copy(update={"scale": 0.5})
    make_model(changed.folder, network_def=changed.network_def, scale=0.5)
    assert make(members, tmp_path) == 2
    assert "differ in their working scale (1.0, 0.5)" in capsys.readouterr().err
    make_contact_model(changed.folder)
    assert make(members, tmp_path) == 2
    assert "differ in their class of contact (False, True)" in capsys.readouterr().err
    assert make(members[:1], tmp_path) == 2
    assert "an ensemble needs 2 or more" in capsys.readouterr().err
    assert not (tmp_path / "models").exists()


def test_members_for_pixels_of_other_sizes_are_refused(members, tmp_path, capsys):
    make_model(members[1].folder, network_def=members[1].network_def, pixel_size=0.5)
    assert make(members, tmp_path) == 2
    assert "differ in their pixel size (None, 0.5)" in capsys.readouterr().err


def test_their_order_does_not_matter(members):
    one, other = members
    one.postprocessing = Postprocessing(method="watershed", min_size=40, grow=0, sigma=1.0, height=4.0, threshold=0.25)
    other.postprocessing = Postprocessing(method="watershed", min_size=61, grow=3, sigma=3.0, height=5.0, threshold=0.5)
    one.training, other.training = {"validation_images": 3}, {"validation_images": 0}
    forth, back = combine([one, other], "both"), combine([other, one], "both")
    assert forth.postprocessing == back.postprocessing
    assert forth.postprocessing.model_dump(exclude={"fitted_on"}) == {
        "method": "watershed", "threshold": 0.375, "min_size": 50, "grow": 2, "sigma": 2.0, "height": 4.5
    }  # fmt: skip
    assert forth.training["validation_images"] == back.training["validation_images"] == 0


def test_a_model_that_is_there_is_not_replaced(members, tmp_path, capsys):
    assert make(members, tmp_path, "--authors", "A. Person") == 0
    assert read_model(tmp_path / "models" / "both").copyright == "Copyright (c) A. Person"
    assert make(members, tmp_path) == 2
    assert "holds a model already" in capsys.readouterr().err
