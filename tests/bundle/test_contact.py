"""A training with a class for contact between cells, and its model wherever models are read."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from monai.bundle import ConfigParser
from monai.transforms import Compose
from monai.utils import set_determinism
from PIL import Image

from custom import Segmenter
from custom.blockwise import large_images
from custom.classes import as_prediction, split_contact
from custom.data import read_image, read_mask
from custom.errors import UserError
from custom.fine_tune import network_from
from custom.metrics.seg import seg
from custom.model import Model, Postprocessing, read_model
from custom.transforms import InstancesToClasses, ProbabilityToInstances
from scripts.export.about import about
from scripts.export.bioimageio import cover, readme
from scripts.export.whole_image import WholeImage
from scripts.package_bundle.configs import training_config
from scripts.package_bundle.metadata import label_text
from scripts.robustness.perturbations import PERTURBATIONS
from tests.models import make_contact_model, make_model, make_three_class_model
from tests.robustness import material
from tests.robustness.warm import call

SIZE = (60, 84)
TINY: dict[str, object] = {
    "input_size": 44,
    "network_def#depth": 1,
    "network_def#features": 8,
    "network_def#dropout": 0,
    "max_epochs": 3,
    "steps_per_epoch": 30,
    "val_interval": 3,
    "learning_rate": 0.02,
    "class_weights": "[1, 1, 4]",
    "train#weight_map#w0": 0,
    "border_width": 5,
    "bfloat16": "false",
}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    """Bars of two cells without a neck; the image is darker where they touch."""
    folder = tmp_path_factory.mktemp("data")
    splits: dict[str, list] = {"training": [], "validation": []}
    for number in range(4):
        instances = np.zeros(SIZE, np.uint8)
        for row in (6, 34):
            instances[row : row + 18, 8 : 36 + 2 * number] = row
            instances[row : row + 18, 36 + 2 * number : 76] = row + 1
        gray = np.where(instances > 0, 200, 30)
        gray[:, 34 + 2 * number : 38 + 2 * number][instances[:, 34 + 2 * number : 38 + 2 * number] > 0] = 110
        noisy = gray + np.random.default_rng(number).normal(0, 8, SIZE)
        item = {key: f"{key}_{number}.png" for key in ("image", "label")}
        for key, pixels in {"image": noisy.clip(0, 255), "label": instances}.items():
            Image.fromarray(pixels.astype(np.uint8)).save(folder / item[key])
        splits["validation" if number > 2 else "training"].append(item)
    about = {"name": "bars", "label_kind": "instances", "labels": {"0": "background", ">0": "cell"}}
    (folder / "dataset.json").write_text(json.dumps({**about, **splits}))
    return folder


@pytest.fixture(scope="module")
def trained(dataset, tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("runs") / "bars"
    options = {**TINY, "contact": "true", "method": "contact"}
    done = call("training", dataset_dir=dataset, output_dir=output, **options)
    assert done.code == 0, str(done)
    return output


def as_classes(dataset: Path, folder: Path) -> Path:
    """A copy of the data set that takes each mask value for a class."""
    shutil.copytree(dataset, folder)
    about = json.loads((dataset / "dataset.json").read_text())
    values = {str(value): f"class {value}" for value in (0, 6, 7, 34, 35)}
    (folder / "dataset.json").write_text(json.dumps({**about, "label_kind": "classes", "labels": values}))
    return folder


def expected(model: Model, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of foreground and contact, (1, H, W), from the network's three outputs."""
    segment = Segmenter(model, device="cpu")
    segment.inferer.amp = False
    planes = torch.from_numpy(model.gray_rule().planes(pixels))[None]
    with torch.no_grad():
        two, contact = split_contact(torch.softmax(segment.inferer(planes, segment.network)[0], 0).numpy())
    return as_prediction(two), contact


def test_the_model_says_that_it_knows_contact(trained):
    model = read_model(trained)
    assert model.contact
    assert [part.value for part in model.classes] == [0, 255]
    assert (model.postprocessing.method, model.network_def["out_channels"]) == ("contact", 3)
    outputs = model.network_data_format["outputs"]["pred"]["channel_def"]
    assert outputs == {"0": "background", "1": "cell", "2": "contact"}


def test_inference_and_evaluation_see_two_classes_and_divide_by_contact(dataset, trained, tmp_path):
    model = read_model(trained)
    done = call(
        "inferring",
        model=trained,
        dataset_dir=dataset / "image_3.png",
        output_dir=tmp_path,
        save="['mask','probability','instance']",
        min_size=20,
        height=1,
        bfloat16="false",
    )
    assert done.code == 0, str(done)
    foreground, contact = expected(model, read_image(dataset / "image_3.png"))
    probability = tifffile.imread(tmp_path / "probabilities" / "image_3.tif")
    np.testing.assert_allclose(probability, foreground[0], atol=1e-6)
    mask = read_mask(tmp_path / "masks" / "image_3.png")
    np.testing.assert_array_equal(mask, 255 * (probability >= np.float32(model.postprocessing.threshold)))
    cells, label = (read_mask(file) for file in (tmp_path / "instances" / "image_3.tif", dataset / "label_3.png"))
    assert cells.max() == 4
    assert contact[0][10:20, 40:44].mean() > 3 * contact[0][10:20, 12:36].mean()
    assert (contact[0][label == 0] < 0.5).mean() > 0.9
    segment = Segmenter(model, device="cpu")
    segment.inferer.amp = False
    rule = ProbabilityToInstances(**model.postprocessing.model_dump(exclude={"fitted_on"}))
    found = segment(read_image(dataset / "image_3.png")).instances
    np.testing.assert_array_equal(found, np.asarray(rule(foreground, contact))[0])
    options = {"min_size": 20, "height": 1, "bfloat16": "false"}
    done = call("evaluating", dataset_dir=dataset, model=trained, **options)
    assert done.code == 0, str(done)
    scores = dict(csv.reader((trained / "evaluation" / "validation" / "metrics.csv").open()))
    assert float(scores["seg"]) == pytest.approx(seg([label], [cells], [np.ones(SIZE, bool)]).value, abs=1e-6)
    assert float(scores["seg"]) > 0.7
    truth = InstancesToClasses(5, contact=True)(label[None])[0] > 0  # whole cells, contact included
    found = probability > model.postprocessing.threshold
    assert float(scores["iou"]) == pytest.approx((truth & found).sum() / (truth | found).sum(), abs=1e-4)


def test_tuning_finds_the_method_and_robustness_measures_it(dataset, trained, tmp_path, monkeypatch):
    monkeypatch.setattr("scripts.tune.search.THRESHOLDS", (0.3, 0.5))
    done = call("tune", model=trained, dataset=dataset, output=tmp_path, orientations=1)
    assert done.code == 0, str(done)
    assert "| contact, sigma 2, height 5 |" in done.out
    best = json.loads((tmp_path / "tune.json").read_text())["best"]
    assert best["method"] == "contact"
    given = {name: best[name] for name in ("threshold", "sigma", "height", "min_size", "grow")}
    monkeypatch.setattr("scripts.robustness.__main__.PERTURBATIONS", PERTURBATIONS[:1])
    done = call("robustness", model=trained, dataset=dataset, output=tmp_path, orientations=1, **given)
    assert done.code == 0, str(done)
    measured = json.loads((tmp_path / "robustness.json").read_text())
    assert measured["unchanged"] == pytest.approx(best["seg"])


def test_the_label_server_gets_two_classes(tmp_path):
    parser = ConfigParser(ConfigParser.load_config_file("bundle/configs/inference.json"))
    parser["model"] = str(make_contact_model(tmp_path).folder)
    logits = torch.zeros(3, 1, 4)
    logits[:, 0] = torch.tensor([[3, 0, 0, 0.5], [0, 3, 0, 0], [0, 0, 3, 0]])  # the last: most likely not background
    found = Compose(parser.get_parsed_content("post_transforms"))({"pred": logits})["pred"]
    assert found.flatten().tolist() == [0, 1, 1, 1]


def test_fine_tuning_keeps_or_drops_the_output(tmp_path):
    model = make_contact_model(tmp_path)
    assert network_from(model, 3).classify.out_channels == 3  # type: ignore[union-attr]
    assert network_from(model, 2).classify.out_channels == 2  # type: ignore[union-attr]


@pytest.mark.parametrize("known", [True, False])
def test_fine_tuning_learns_what_the_model_knows_from_instances(dataset, tmp_path, known):
    files = ["bundle/configs/train.json", "bundle/configs/experiments/finetune.json"]
    model = make_contact_model(tmp_path) if known else make_model(tmp_path)
    for folder, expected in ((dataset, known), (as_classes(dataset, tmp_path / "classes"), False)):
        parser = ConfigParser(ConfigParser.load_config_files(files))
        parser.update({"init_model": str(model.folder), "dataset_dir": str(folder)})
        assert parser.get_parsed_content("contact") is expected


def test_without_contact_everything_is_as_if_there_were_none(dataset):
    """Training windows, loss and validation of `train.json` are those of the same file without the parts of contact."""
    given = json.loads(Path("bundle/configs/train.json").read_text())
    without = json.loads(json.dumps(given))
    without["network_def"]["out_channels"] = "$len(@data.class_names)"
    del without["train"]["classes"]["contact"]
    for steps in (
        without["train"]["postprocessing"]["transforms"],
        without["validate"]["postprocessing"]["transforms"],
    ):
        steps.remove(
            next(step for step in steps if isinstance(step, dict) and "@contact" in step.get("_disabled_", ""))
        )
    tiny = {"dataset_dir": str(dataset), "input_size": 44, "network_def#depth": 1, "network_def#features": 4}
    seen = []
    for config in (given, without):
        parser = ConfigParser(config)
        parser.update(tiny)
        set_determinism(3)
        item = parser.get_parsed_content("train#dataset")[0]
        logits = parser.get_parsed_content("network")(item["image"][None])
        loss = parser.get_parsed_content("loss")(logits, item["target"][None])
        scored = {**parser.get_parsed_content("validate#dataset")[0], "pred": logits[0].detach()}
        scored = parser.get_parsed_content("validate#postprocessing")(scored)
        seen.append([item["image"], item["target"], loss.detach(), scored["pred"], scored["label"]])
    set_determinism(None)
    assert "contact" not in scored
    assert all(torch.equal(torch.as_tensor(one), torch.as_tensor(other)) for one, other in zip(*seen, strict=True))


def test_a_packaged_training_learns_contact_again(tmp_path):
    config = training_config(Path("bundle/configs"), make_contact_model(tmp_path), "finetune")
    assert config["contact"] is True
    assert config["network_def"]["out_channels"] == 3


def test_the_card_of_a_package_names_labels_that_it_can_be_trained_on(tmp_path):
    models = (make(tmp_path) for make in (make_contact_model, make_three_class_model))
    contact, classes = (label_text(model, {"best_by": "pixel_error"}) for model in models)
    assert contact == '"label_kind": "instances", "labels": {"0": "background", ">0": "cell"}'
    assert classes == '"label_kind": "classes", "labels": {"0": "ground", "100": "body", "300": "core"}'


def test_exports_name_the_output(tmp_path):
    model = make_contact_model(tmp_path)
    found = {key: json.loads(text) for key, text in about(model, whole_image=False).items()}
    assert (found["classes"], found["mask_values"]) == (["background", "cell", "contact"], [0, 255, 255])
    text = readme(WholeImage(model.network()).eval(), model, "U-Net tiny")
    assert "(background, cell, contact)" in text
    assert "threshold the sum of the last two channels at 0.5" in text
    output = np.float32([0.25, 0.5, 0.25])[:, None, None] * np.ones((3, 4, 6), np.float32)
    picture = cover(np.full((1, 4, 6), 9, np.float32), output, model)
    assert (picture[:, :4] == 9).all()
    assert (picture[:, 4:] == 191).all()  # 255 * 0.75: contact is part of the cell


def test_volumes_have_its_mask_but_not_its_cells(tmp_path):
    model = make_contact_model(tmp_path / "model")
    given = {"model": model.folder, "block": 48, "bfloat16": "false"}
    words = (material.volume(), tmp_path / "out.zarr")
    refused = call("segment_volume", *words, **given, instances=True, method="contact")
    assert (refused.code, "choose --method watershed" in refused.err) == (2, True), str(refused)
    done = call("segment_volume", *words, **given)
    assert done.code == 0, str(done)
    zarr = pytest.importorskip("zarr")
    found = zarr.open_array(tmp_path / "out.zarr" / "0", mode="r")[0]
    np.testing.assert_allclose(found, expected(model, tifffile.imread(material.volume())[0])[0][0], atol=1e-5)


def test_a_large_image_is_refused_before_any_work(dataset, trained, tmp_path, monkeypatch):
    monkeypatch.setattr(large_images, "LARGE", 1000)
    given = {"model": trained, "dataset_dir": dataset / "image_3.png", "output_dir": tmp_path, "bfloat16": "false"}
    refused = call("inferring", **given, save="['instance']")
    assert (refused.code, "cannot be divided by contact; choose --method watershed" in refused.err) == (2, True)
    assert call("inferring", **given, save="['instance']", method="watershed").code == 0


def test_what_is_not_there_is_refused_in_one_line(dataset, tmp_path):
    plain = material.tiny_model()
    with pytest.raises(UserError, match="model tiny was not trained with --contact true; choose components or"):
        read_model(plain).require_method("contact")
    model = make_model(tmp_path / "plain", postprocessing=Postprocessing(method="contact"))
    with pytest.raises(UserError, match="was not trained with --contact true"):
        Segmenter(model)
    three = make_model(tmp_path / "three").model_dump()
    three["classes"] = [{"name": str(value), "value": value} for value in range(3)]
    with pytest.raises(ValueError, match="contact is for two classes, not 3"):
        Model.model_validate({**three, "contact": True})
    classes = as_classes(dataset, tmp_path / "classes")
    given = {"bfloat16": "false", "method": "contact"}
    run, images = tmp_path / "run", material.volume()
    for done, message in (
        (call("inferring", model=plain, dataset_dir=images, output_dir=tmp_path / "out", **given), "was not trained"),
        (call("evaluating", model=plain, dataset_dir=dataset, **given), "was not trained"),
        (call("tune", model=plain, dataset=dataset, output=tmp_path, method="contact"), "was not trained"),
        (
            call("training", dataset_dir=dataset, output_dir=run, **{**TINY, "method": "contact"}),
            "--method contact: needs",
        ),
        (
            call("training", dataset_dir=classes, output_dir=run, **{**TINY, "contact": "true"}),
            "learned from instances",
        ),
    ):
        assert done.code == 2, str(done)
        assert message in done.err.strip().splitlines()[-1]
    assert not (tmp_path / "run" / "model.json").exists()
