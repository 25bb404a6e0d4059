"""Labels of a few strokes: what is not labelled counts nowhere, and the rest is learnt all the same."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from custom.data import read_image, read_mask, write_image
from custom.model import read_model

from .conftest import run, train_tiny

IGNORED = 128
SHARE = 0.05


def strokes(shape: tuple[int, int], generator: np.random.Generator) -> NDArray[np.bool_]:
    """Straight strokes, 3 pixels wide, over `SHARE` of the pixels."""
    known = np.zeros(shape, bool)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    while known.mean() < SHARE:
        (row, column), angle = generator.random(2) * shape, generator.random() * np.pi
        along = (rows - row) * np.sin(angle) + (columns - column) * np.cos(angle)
        across = (rows - row) * np.cos(angle) - (columns - column) * np.sin(angle)
        known |= (abs(along) < generator.uniform(20, 60)) & (abs(across) < 1.5)
    return known


def sparse_copy(images: list[Path], labels: list[Path], folder: Path, held_out: int) -> Path:
    """A data set whose training labels are strokes; the last images are for validation, fully labelled."""
    generator = np.random.default_rng(0)
    content = {"name": "strokes", "label_kind": "classes", "labels": {"0": "membrane", "255": "cell"}}
    lists: dict[str, list[dict[str, str]]] = {"training": [], "validation": []}
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        mask = read_mask(label)
        split = "training" if number < len(images) - held_out else "validation"
        if split == "training":
            mask = np.where(strokes(mask.shape, generator), mask, IGNORED).astype(np.uint8)
        write_image(folder / f"{number}.png", read_image(image))
        write_image(folder / f"{number}_mask.png", mask)
        lists[split].append({"image": f"{number}.png", "label": f"{number}_mask.png"})
    (folder / "dataset.json").write_text(json.dumps({**content, "ignore_value": IGNORED, **lists}))
    return folder


def files(folder: Path, kind: str) -> list[Path]:
    return sorted(folder.glob(f"**/{kind}/*.*"))


def test_what_is_not_labelled_does_not_matter(tiny_dataset, tmp_path):
    """Two trainings whose masks differ where they are to be ignored alone: the same weights."""
    images, labels = files(tiny_dataset / "training", "image"), files(tiny_dataset / "training", "label")
    one = sparse_copy(images, labels, tmp_path / "one", held_out=1)
    other = sparse_copy(images, labels, tmp_path / "other", held_out=1)
    content = json.loads((other / "dataset.json").read_text())
    for item in content["training"]:
        mask = read_mask(other / item["label"])
        write_image(other / item["label"], np.where(mask == IGNORED, 77, mask).astype(np.uint8))
    (other / "dataset.json").write_text(json.dumps({**content, "ignore_value": 77}))
    found = []
    for folder in (one, other):
        done = run(train_tiny(folder, tmp_path / f"run_{folder.name}"))
        assert done.returncode == 0, done.stderr
        found.append((tmp_path / f"run_{folder.name}" / "weights.safetensors").read_bytes())
    assert found[0] == found[1]


def test_five_percent_of_the_pixels_of_real_sections(real_data, tmp_path):
    """A small network learns membranes from strokes; calling every pixel a cell has an error of 0.12."""
    train = real_data / "isbi2012" / "train"
    images, labels = (files(train, kind)[::5] for kind in ("image", "label"))
    folder = sparse_copy(images, labels, tmp_path / "strokes", held_out=1)
    size = {"input_size": 188, "network_def#depth": 3, "network_def#features": 12}
    options = {**size, "max_epochs": 1, "steps_per_epoch": 150, "batch_size": 2, "learning_rate": 0.004}
    done = run(train_tiny(folder, tmp_path / "run", **options), timeout=900)
    assert done.returncode == 0, done.stderr
    (error,) = [score.value for score in read_model(tmp_path / "run").scores if score.measure == "pixel_error"]
    assert error < 0.1
