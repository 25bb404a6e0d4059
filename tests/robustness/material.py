"""Small valid inputs of the commands, made once: a model, a data set, archives, a volume."""

from __future__ import annotations

import functools
import json
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import torch
from numpy.typing import NDArray
from PIL import Image

from ..models import make_model, shift

SHAPE = (40, 52)
CELLS = {1: (4, 6), 2: (4, 26), 3: (22, 14), 4: (24, 36)}  # top left corners of squares
SEED = 0  # of the model
CTC, ISBI = "DIC-C2DH-HeLa", "ISBI-2012-challenge"


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="material-")  # removed when Python ends


def scratch() -> Path:
    """A folder for what all cases use and none changes."""
    return Path(_folder().name).resolve()


@functools.cache
def tiny_model() -> Path:
    """A model with random weights, the same in each process, that finds some of the cells."""
    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        shift(make_model(scratch() / "tiny", features=4), by=0.3)
    return scratch() / "tiny"


def instances(number: int) -> NDArray[np.uint16]:
    """Instance mask (H, W) of an image: squares that move from one image to the next."""
    mask = np.zeros(SHAPE, np.uint16)
    for id, (top, left) in CELLS.items():
        left += number % 5
        mask[top : top + 10, left : left + 9] = id
    return mask


def image(number: int) -> NDArray[np.uint8]:
    """Image (H, W) of bright squares in noise."""
    noise = np.random.default_rng(number).integers(0, 90, SHAPE)
    return (noise + 150 * (instances(number) > 0)).astype(np.uint8)


SPLITS = {"training": (0, 1), "validation": (2, 3), "test": (4,)}


def write_dataset(folder: Path, splits: Mapping[str, Sequence[int]] = SPLITS) -> dict[str, Any]:
    """Write a data set of instances; returns the content of its `dataset.json`."""
    content: dict[str, Any] = {"name": "squares", "description": "Squares.", "licence": "none", "reference": "none"}
    content |= {"label_kind": "instances", "labels": {"0": "background", ">0": "cell"}}
    for split, numbers in splits.items():
        content[split] = [{"image": f"image/{n}.png", "label": f"label/{n}.png"} for n in numbers]
        for number in numbers:
            for kind, pixels in (("image", image(number)), ("label", instances(number))):
                (folder / kind).mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(folder / kind / f"{number}.png")
    (folder / "dataset.json").write_text(json.dumps(content))
    return content


@functools.cache
def dataset() -> Path:
    """A data set of squares."""
    write_dataset(scratch() / "squares")
    return scratch() / "squares"


@functools.cache
def experiments() -> Path:
    """The data sets of `reproduce`: of `isbi2012`, whose images are in five blocks."""
    write_dataset(scratch() / "experiments" / "isbi2012", {"training": range(4), "validation": (4,)})
    return scratch() / "experiments"


@functools.cache
def volume() -> Path:
    """A TIFF of three slices."""
    tifffile.imwrite(scratch() / "volume.tif", np.stack([image(n) for n in range(3)]), photometric="minisblack")
    return scratch() / "volume.tif"


@functools.cache
def segmentations() -> Path:
    """What inference leaves of the test images."""
    folder = scratch() / "segmentations"
    for kind, name, pixels in (
        ("instances", "4.tif", instances(4)),
        ("masks", "4.tif", 255 * (instances(4) > 0).astype(np.uint8)),
        ("probabilities", "4.tif", (instances(4) > 0).astype(np.float32)),
    ):
        (folder / kind).mkdir(parents=True)
        tifffile.imwrite(folder / kind / name, pixels)
    return folder


@functools.cache
def finished_run() -> Path:
    """What an evaluation leaves of the test images."""
    scores = scratch() / "run" / "evaluation" / "test"
    scores.mkdir(parents=True)
    (scores / "seg_raw.csv").write_text(f"filename,class0\n{dataset()}/image/4.png,1.0\n")
    return scratch() / "run"


@functools.cache
def ctc_folder() -> Path:
    """A sequence of 12 frames in the layout of the Cell Tracking Challenge."""
    root = scratch() / "ctc" / CTC
    for kind in ("01", "01_GT/SEG"):
        (root / kind).mkdir(parents=True)
    for number in range(12):
        tifffile.imwrite(root / "01" / f"t{number:03d}.tif", image(number))
        tifffile.imwrite(root / "01_GT" / "SEG" / f"man_seg{number:03d}.tif", instances(number))
    return root.parent


@functools.cache
def isbi_folder() -> Path:
    """Stacks of 10 and 2 sections in the layout of ISBI 2012."""
    root = scratch() / "isbi" / ISBI
    root.mkdir(parents=True)
    for name, count in (("train-volume", 10), ("train-labels", 10), ("test-volume", 2)):
        first = 100 if name.startswith("test") else 0
        pages = [255 * (instances(n) > 0) if "labels" in name else image(first + n) for n in range(count)]
        tifffile.imwrite(root / f"{name}.tif", np.stack(pages).astype(np.uint8), photometric="minisblack")
    return root.parent


def members(folder: Path) -> dict[str, bytes]:
    """Contents by name, as members of a zip."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


def write_zip(path: Path, contents: dict[str, bytes]) -> Path:
    """A zip of these members."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return path
