"""Three classes in two channels from the command line: trained, evaluated, segmented, reported. A training of 80 steps
tells the classes apart; with channels or classes swapped it does not."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch

from custom import Segmenter
from custom.data import make_synthetic, read_dataset, read_image, read_mask, write_channels
from custom.data.labels import parse_class_mask
from custom.errors import UserError
from custom.evaluation import require_fitting_data
from custom.fine_tune import network_from
from custom.metrics import Dice, IoU
from custom.model import read_model
from scripts.report.__main__ import main as report
from tests.bundle.conftest import CONFIGS, TRAIN, command, run, train_tiny

EVALUATE, INFERENCE = CONFIGS / "evaluate.json", CONFIGS / "inference.json"
SIZE = (150, 190)
NAMES = ("background", "cytoplasm", "nucleus")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "cells"
    return make_synthetic(folder, seed=1, size=SIZE, counts={"training": 3, "validation": 1, "test": 2}, kind="cells")


@pytest.fixture(scope="module")
def trained(dataset, tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("runs") / "cells"
    more = {"network_def#features": 8, "input_size": 124, "max_epochs": 4, "steps_per_epoch": 20, "val_interval": 2}
    done = run(train_tiny(dataset, output, **more))
    assert done.returncode == 0, done.stderr
    assert "mean IoU" in done.stdout + done.stderr
    return output


@pytest.fixture(scope="module")
def segmented(dataset, trained, tmp_path_factory) -> Path:
    """Output folder of inference on the test images."""
    output = tmp_path_factory.mktemp("segmented")
    done = run(
        command(
            "inferring",
            INFERENCE,
            model=trained,
            dataset_dir=dataset / "test" / "image",
            output_dir=output,
            save="['mask','probability','instance']",
            palette=True,
            bfloat16=False,
        )
    )
    assert done.returncode == 0, done.stderr
    return output


def segmenter(model: Path) -> Segmenter:
    """As `--bfloat16 false`."""
    made = Segmenter(model, device="cpu")
    made.inferer.amp = False
    return made


def classes_of_item(item: dict) -> np.ndarray:
    return parse_class_mask(read_mask(item["label"]), item["label_format"], Path(item["label"]))


def mean_iou(masks: list[np.ndarray], labels: list[np.ndarray]) -> float:
    return float(
        np.mean(
            [
                [((m == k) & (x == k)).sum() / ((m == k) | (x == k)).sum() for k in range(3)]
                for m, x in zip(masks, labels, strict=True)
            ]
        )
    )


def test_the_model_names_classes_and_channels(trained):
    model = read_model(trained)
    assert [(part.name, part.value) for part in model.classes] == list(zip(NAMES, (0, 100, 200), strict=True))
    assert model.channels == ["DNA", "tubulin"]
    assert isinstance(model.gray_values, list)
    assert len({one.contrast for one in model.gray_values}) == 2
    assert (model.network_def["in_channels"], model.network_def["out_channels"]) == (2, 3)
    inputs, outputs = (model.network_data_format[key] for key in ("inputs", "outputs"))
    assert inputs["image"]["channel_def"] == {"0": "DNA", "1": "tubulin"}
    assert outputs["pred"]["channel_def"] == dict(zip("012", NAMES, strict=True))
    assert model.postprocessing.threshold == 0.5
    assert {score.measure for score in model.scores} >= {"iou", *(f"iou_{name}" for name in NAMES)}


def test_swapped_channels_or_classes_are_worse(dataset, trained):
    segment = segmenter(trained)
    items = read_dataset(dataset).test
    labels = [classes_of_item(item) for item in items]
    planes = [tifffile.imread(item["image"]) for item in items]
    values = [segment(np.moveaxis(plane, 0, -1)).mask for plane in planes]
    masks = [mask // 100 for mask in values]
    assert set(np.unique(values)) == {0, 100, 200}
    right = mean_iou(masks, labels)
    assert right > 0.6
    swapped = [segment(np.moveaxis(plane[::-1], 0, -1)).mask // 100 for plane in planes]
    assert mean_iou(swapped, labels) < right - 0.2
    assert mean_iou([np.array([0, 2, 1])[mask] for mask in masks], labels) < right - 0.2


def test_inference_writes_what_the_segmenter_says(dataset, trained, segmented):
    segment = segmenter(trained)
    for item in read_dataset(dataset).test:
        found, name = segment(item["image"]), Path(item["image"]).stem
        np.testing.assert_array_equal(read_mask(segmented / "masks" / f"{name}.png"), found.mask)
        assert read_image(segmented / "masks" / f"{name}.png").shape == (*SIZE, 3)  # in colours
        probability = read_image(segmented / "probabilities" / f"{name}.tif", channel=(0, 1, 2))
        np.testing.assert_allclose(np.moveaxis(probability, -1, 0), found.probability, atol=1e-6)
        np.testing.assert_allclose(found.probability.sum(axis=0), 1, atol=1e-5)
        instances = read_mask(segmented / "instances" / f"{name}.tif")
        np.testing.assert_array_equal(instances, found.instances)
        assert ((instances > 0) | (found.mask == 0)).all()


def test_evaluation_scores_every_class_and_their_mean(dataset, trained, segmented):
    done = run(command("evaluating", TRAIN, EVALUATE, dataset_dir=dataset, model=trained, split="test", bfloat16=False))
    assert done.returncode == 0, done.stderr
    folder = trained / "evaluation" / "test"
    scores = {name: float(value) for name, value in csv.reader((folder / "metrics.csv").open())}
    items = read_dataset(dataset).test
    measures = {"iou": IoU(classes=NAMES), "dice": Dice(NAMES)}
    for name, measure in measures.items():
        for item in items:
            file = segmented / "probabilities" / f"{Path(item['image']).stem}.tif"
            probability = np.moveaxis(read_image(file, channel=(0, 1, 2)), -1, 0)
            label = classes_of_item(item)
            measure(*(torch.from_numpy(array)[None] for array in (probability, label[None])))
        expected = measure.score()
        assert scores[name] == pytest.approx(expected.value, abs=1e-4)
        for key, value in expected.extras().items():
            assert scores[f"{name}_{key}"] == pytest.approx(value, abs=1e-4)
    assert {f"pixel_error_{name}" for name in NAMES} <= scores.keys()
    assert "rand_error" in scores
    rows = list(csv.reader((folder / "dice_raw.csv").open()))
    assert rows[0] == ["filename", "class0", "class1", "class2", "mean"]


def test_the_report_shows_the_classes(dataset, trained, segmented, tmp_path):
    if not (trained / "evaluation" / "test" / "metrics.csv").is_file():
        test_evaluation_scores_every_class_and_their_mean(dataset, trained, segmented)
    page = tmp_path / "report.html"
    arguments = ["--run", trained, "--dataset_dir", dataset, "--segmentations", segmented, "--output", page]
    assert report([*map(str, arguments), "--split", "test"]) == 0
    text = page.read_text(encoding="utf-8")
    table = text[text.index('<table id="classes">') :]
    table = table[: table.index("</table>")]
    assert all(f'<th scope="row">{name}</th>' in table for name in NAMES)
    assert all(measure in table for measure in ("pixel error", "IoU", "Dice"))
    assert '"classes": ["background", "cytoplasm", "nucleus"]' in text
    assert page.with_suffix(".png").is_file()
    assert '<table id="classes">' in (trained / "report.html").read_text(encoding="utf-8")


def test_images_with_other_channels_are_refused_in_one_line(trained, tmp_path):
    segment = segmenter(trained)
    write_channels(tmp_path / "three.tif", np.zeros((3, 40, 50), np.uint8), "abc")
    with pytest.raises(UserError, match=r"three\.tif: has 3 channels, 2 are wanted \(DNA, tubulin\)"):
        segment(tmp_path / "three.tif")
    for shape in ((40, 50), (2, 40, 50), (40, 50, 3)):
        with pytest.raises(UserError, match=r"image: has shape .*; \(H, W, 2\) is needed"):
            segment(np.zeros(shape, np.uint8))


def test_other_data_are_refused_before_any_work(dataset, trained, tiny_dataset, tmp_path):
    model, tiny = read_model(trained), read_dataset(tiny_dataset)
    require_fitting_data(model, read_dataset(dataset))
    with pytest.raises(
        UserError, match=r"images have 1 channel \(gray\), model quick takes 2 channels \(DNA, tubulin\)"
    ):
        require_fitting_data(model, tiny)
    with pytest.raises(
        UserError, match=r"has 2 classes \(membrane, cell\), model quick 3 \(background, cytoplasm, nucleus\)"
    ):
        require_fitting_data(model.model_copy(update={"channels": ["gray"]}), tiny)
    with pytest.raises(UserError, match=r"model quick: takes 2 channels \(DNA, tubulin\), the data set has 1"):
        network_from(model, 2)
    assert network_from(model, 5, 2).classify.out_channels == 5  # type: ignore[union-attr]
    one = shutil.copytree(dataset, tmp_path / "one")
    content = json.loads((one / "dataset.json").read_text())
    (one / "dataset.json").write_text(json.dumps({**content, "channels": {"0": "DNA"}}))
    done = run(train_tiny(one, tmp_path / "run", **{"network_def#in_channels": 2}))
    assert "network_def: is for 2 channels" in done.stderr
    assert not (tmp_path / "run" / "model.json").exists()
