"""Training, evaluation and inference from the command line."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from custom.model import read_model

from .conftest import CONFIGS, TRAIN, command, run, weights

EVALUATE, INFERENCE = CONFIGS / "evaluate.json", CONFIGS / "inference.json"


def test_training_leaves_best_and_last_checkpoints_curves_pictures_and_scores(trained):
    assert weights(trained / "weights.safetensors").keys() == weights(trained / "checkpoint.pt")["network"].keys()
    tags: dict[str, set] = {"scalars": set(), "images": set()}
    for file in trained.glob("events.out.tfevents.*"):
        found = EventAccumulator(str(file)).Reload().Tags()
        for kind, seen in tags.items():
            seen.update(found[kind])
    assert {"train_loss", "pixel_error", "iou", "val_loss"} <= tags["scalars"]
    assert "training: image | label | weight | probability" in tags["images"]
    rows = list(csv.reader((trained / "pixel_error_raw.csv").open()))
    assert len(rows) == 1 + 2, rows
    assert all(0 < float(row[1]) < 1 for row in rows[1:])


def test_evaluation_scores_each_image_of_a_split(tiny_dataset, trained):
    options = {"dataset_dir": tiny_dataset, "model": trained, "split": "test"}
    done = run(command("evaluating", TRAIN, EVALUATE, **options))
    assert done.returncode == 0, done.stderr
    rows = list(csv.reader((trained / "evaluation" / "test" / "iou_raw.csv").open()))
    assert len(rows) == 2
    assert rows[1][0].endswith(".png")


def test_an_evaluation_has_the_loss_of_the_training(tiny_dataset, trained, tmp_path):
    epoch = read_model(trained).training["epoch"]
    losses = EventAccumulator(str(trained), purge_orphaned_data=False).Reload().Scalars("val_loss")
    (theirs,) = {event.value for event in losses if event.step == epoch}
    done = run(command("evaluating", TRAIN, EVALUATE, dataset_dir=tiny_dataset, model=trained, evaluation_dir=tmp_path))
    assert done.returncode == 0, done.stderr
    ours = dict(csv.reader((tmp_path / "metrics.csv").open()))
    assert float(ours["val_loss"]) == pytest.approx(theirs, rel=1e-5)


def test_an_evaluation_without_labels_is_refused_and_old_scores_do_not_stay(tiny_dataset, trained, tmp_path):
    dataset = tmp_path / "data"
    shutil.copytree(tiny_dataset, dataset)
    content = json.loads((dataset / "dataset.json").read_text())
    del content["test"][0]["label"]
    (dataset / "dataset.json").write_text(json.dumps(content))
    options = {"dataset_dir": dataset, "model": trained, "evaluation_dir": tmp_path / "scores"}
    done = run(command("evaluating", TRAIN, EVALUATE, **options, split="test"))
    assert done.returncode != 0
    assert "error: --split test:" in done.stderr
    assert "names no label for it" in done.stderr
    assert not (tmp_path / "scores").exists()


def write_inputs(folder: Path) -> dict[str, tuple[int, ...]]:
    """Images of the usual formats, none square; returns the shape of what should come back for each."""
    pixels = np.random.RandomState(0).randint(0, 256, (3, 61, 83)).astype(np.uint8)
    folder.mkdir()
    Image.fromarray(pixels[0]).save(folder / "gray.png")
    Image.fromarray(np.moveaxis(pixels, 0, -1)).save(folder / "colour.jpg")
    Image.fromarray(pixels[0][:1, :7]).save(folder / "tiny.bmp")
    tifffile.imwrite(folder / "sixteen.tif", pixels[0].astype(np.uint16) * 16)
    tifffile.imwrite(folder / "float.tiff", pixels[1] / np.float32(255))
    tifffile.imwrite(folder / "stack.tif", pixels, photometric="minisblack")
    shapes = dict.fromkeys(("gray.png", "colour.png", "sixteen.png", "float.png"), (61, 83))
    return {**shapes, "tiny.png": (1, 7), "stack.tif": (3, 61, 83)}


def test_inference_of_a_folder_goes_past_a_broken_file(trained, tmp_path):
    shapes = write_inputs(tmp_path / "in")
    (tmp_path / "in" / "broken.png").write_bytes((tmp_path / "in" / "gray.png").read_bytes()[:200])
    options = {"model": trained, "dataset_dir": tmp_path / "in"}
    save = "['mask', 'probability', 'instance']"
    done = run(command("inferring", INFERENCE, **options, output_dir=tmp_path / "out", save=save))
    assert done.returncode == 1
    assert "1 of the inputs could not be segmented" in done.stderr
    assert "broken.png" in done.stderr
    assert "Traceback" not in done.stderr
    masks = {file.name: tifffile.imread(file) if file.suffix == ".tif" else np.asarray(Image.open(file))
             for file in (tmp_path / "out" / "masks").iterdir()}  # fmt: skip
    assert {name: mask.shape for name, mask in masks.items()} == shapes
    threshold = read_model(trained).postprocessing.threshold
    for name, mask in masks.items():
        probability = tifffile.imread(tmp_path / "out" / "probabilities" / f"{Path(name).stem}.tif")
        assert probability.shape == mask.shape
        assert set(np.unique(mask)) <= {0, 255}
        np.testing.assert_array_equal(mask == 255, probability > threshold)
        instances = tifffile.imread(tmp_path / "out" / "instances" / f"{Path(name).stem}.tif")
        assert instances.shape == mask.shape
        assert instances.dtype == np.uint16
    np.testing.assert_array_equal(masks["stack.tif"][0], masks["gray.png"])


@pytest.mark.parametrize("pattern", ["in/gray.png", "in/g*.png"])
def test_inference_of_a_file_and_of_a_glob_as_tiff(trained, tmp_path, pattern):
    write_inputs(tmp_path / "in")
    options = {"model": trained, "dataset_dir": tmp_path / pattern, "mask_format": ".tif"}
    done = run(command("inferring", INFERENCE, **options, output_dir=tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert [file.name for file in (tmp_path / "out" / "masks").iterdir()] == ["gray.tif"]
