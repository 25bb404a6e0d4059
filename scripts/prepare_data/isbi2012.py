"""ISBI 2012 EM challenge: 30 labelled sections for training, 30 for testing."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from custom.data.image_io import count_pages, read_image, read_mask
from custom.data.labels import LabelFormat
from custom.errors import UserError

from .source import Archive, open_source
from .writer import new_dataset

ARCHIVE = Archive("https://downloads.imagej.net/ISBI-2012-challenge.zip", "ISBI-2012-challenge")
# Git blob SHA-1 of the stacks in the archive.
BLOBS = {
    "train-volume.tif": "358e48bed4f747c20da43251eb7138727d98cec3",
    "train-labels.tif": "74ab9858c0be80842c94c41c6fb980aab49e9558",
    "test-volume.tif": "3e3612ff0786d278b4d2712a29383c7ca58288ad",
}
ABOUT = {
    "name": "ISBI 2012 EM",
    "description": "Serial section TEM of the Drosophila larva ventral nerve cord, 4 x 4 x 50 nm.",
    "licence": "Free for non-commercial research on segmentation; cite the references.",
    "reference": "Cardona et al. 2010, PLoS Biology 8(10); Arganda-Carreras et al. 2015, Front. Neuroanat. 9:142",
    "channel": "transmission electron micrograph: membranes are dark",
}
FOLDS = 5


def prepare(source: Path | None, output: Path, folds: int = FOLDS, fold: int | None = None) -> None:
    """Write the data set: one file a section.

    Args:
        source: the zip; a folder with the multi-page `train-volume.tif`, `train-labels.tif` and `test-volume.tif`; or a
            folder with `train/image`, `train/label` and `test/image`, one file a section in the order of their names.
            None downloads the zip and checks the stacks.
        output: the new folder.
        folds: number of contiguous blocks of sections; neighbouring sections resemble each other.
        fold: the block that is held out for validation, from 0; by default the last (sections 24 to 29).

    Raises:
        UserError: as `open_source` and `new_dataset`; stacks missing or of different length; no such fold.
    """
    with (
        new_dataset(output, ABOUT, LabelFormat("classes", (0, 255)), ("membrane", "cell")) as writer,
        open_source(source, ARCHIVE, output.absolute().parent / "downloads") as root,
    ):
        if source is None:
            _check_blobs(root)
        images, labels = _sections(root, "train", "image"), _sections(root, "train", "label")
        held_out = hold_out(len(images), folds, folds - 1 if fold is None else fold)
        for number, (image, label) in enumerate(_pairs(images, labels)):
            writer.add("validation" if number in held_out else "training", "train", f"{number:02d}", image, label)
        test, test_labels = _sections(root, "test", "image"), _sections(root, "test", "label", needed=False)
        for number, (image, label) in enumerate(_pairs(test, test_labels or [None] * len(test))):
            writer.add("test", "test", f"{number:02d}", image, label)


def hold_out(count: int, folds: int, fold: int) -> set[int]:
    """Numbers, of 0 to `count` - 1, in contiguous block `fold` of `folds`. Raises UserError if there is none."""
    if not 2 <= folds <= count:
        raise UserError(f"--folds: is {folds}; {count} sections can be split into 2 to {count} folds")
    if not 0 <= fold < folds:
        raise UserError(f"--fold: is {fold}; with {folds} folds, give 0 to {folds - 1}")
    return set(np.array_split(np.arange(count), folds)[fold].tolist())


def _sections(root: Path, part: str, kind: str, needed: bool = True) -> list[tuple[Path, int]]:
    """File and page of each section."""
    stack = root / f"{part}-{'volume' if kind == 'image' else 'labels'}.tif"
    folder = root / part / kind
    if stack.is_file():
        return [(stack, page) for page in range(count_pages(stack))]
    files = sorted(f for f in folder.glob("*") if f.suffix.lower() in (".png", ".tif", ".tiff"))
    if needed and not files:
        raise UserError(f"{root}: has neither {stack.name} nor images in {part}/{kind}; give the archive or its folder")
    return [(file, 0) for file in files]


def _pairs(images: list[tuple[Path, int]], labels: list) -> list[tuple[NDArray, NDArray | None]]:
    if len(images) != len(labels):
        raise UserError(
            f"{images[0][0].parent}: {len(images)} sections, but {len(labels)} labels; give one label per section"
        )
    return [
        (read_image(*image), None if label is None else read_mask(*label))
        for image, label in zip(images, labels, strict=True)
    ]


def _check_blobs(root: Path) -> None:
    for name, expected in BLOBS.items():
        content = (root / name).read_bytes() if (root / name).is_file() else b""
        found = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        if found != expected:
            raise UserError(
                f"{root / name}: has git blob SHA-1 {found}, not {expected}; delete the archive, fetch again"
            )
