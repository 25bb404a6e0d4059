"""ISBI 2012 EM challenge: 30 labelled sections for training, 30 for testing."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from custom.data.image_io import count_pages, read_image, read_mask
from custom.data.labels import LabelFormat
from custom.data.pairs import list_images, pair_by_name, pair_by_order
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
PIXEL_SIZE = 0.004
FOLDS = 5
PairBy = Literal["name", "order"]
Section = tuple[tuple[Path, int], tuple[Path, int] | None]
_ADVICE = "or give --pair_by order to pair them sorted"


def prepare(
    source: Path | None, output: Path, folds: int = FOLDS, fold: int | None = None, pair_by: PairBy = "name"
) -> None:
    """Write the data set: one file a section.

    Args:
        source: the zip; a folder with the multi-page `train-volume.tif`, `train-labels.tif` and `test-volume.tif`; or a
            folder with `train/image`, `train/label` and `test/image`, one file a section. None downloads the zip and
            checks the stacks.
        output: the new folder.
        folds: number of contiguous blocks of sections; neighbouring sections resemble each other.
        fold: the block that is held out for validation, from 0; by default the last (sections 24 to 29).
        pair_by: how labels of a folder find their images: by "name", or by the "order" of the sorted names.

    Raises:
        UserError: as `open_source` and `new_dataset`; stacks missing or of different length; no such fold.
    """
    with (
        new_dataset(
            output, ABOUT, LabelFormat("classes", (0, 255)), ("membrane", "cell"), pixel_size=PIXEL_SIZE
        ) as writer,
        open_source(source, ARCHIVE, output.absolute().parent / "downloads") as root,
    ):
        if source is None:
            _check_blobs(root)
        sections = _sections(root, "train", pair_by)
        held_out = hold_out(len(sections), folds, folds - 1 if fold is None else fold)
        for number, section in enumerate(sections):
            writer.add("validation" if number in held_out else "training", "train", f"{number:02d}", *_read(section))
        for number, section in enumerate(_sections(root, "test", pair_by)):
            writer.add("test", "test", f"{number:02d}", *_read(section))


def hold_out(count: int, folds: int, fold: int) -> set[int]:
    """Numbers, of 0 to `count` - 1, in contiguous block `fold` of `folds`. Raises UserError if there is none."""
    if not 2 <= folds <= count:
        raise UserError(f"--folds: is {folds}; {count} sections can be split into 2 to {count} folds")
    if not 0 <= fold < folds:
        raise UserError(f"--fold: is {fold}; with {folds} folds, give 0 to {folds - 1}")
    return set(np.array_split(np.arange(count), folds)[fold].tolist())


def _sections(root: Path, part: str, pair_by: PairBy) -> list[Section]:
    """Image and label of each section, each a file and a page; test sections may come without labels."""
    stack, labels = root / f"{part}-volume.tif", root / f"{part}-labels.tif"
    if stack.is_file():
        images = [(stack, page) for page in range(count_pages(stack))]
        masks = [(labels, page) for page in range(count_pages(labels))] if part == "train" or labels.is_file() else []
        if masks and len(masks) != len(images):
            raise UserError(f"{labels}: {len(images)} sections, but {len(masks)} labels; give one label per section")
        return [(image, masks[number] if masks else None) for number, image in enumerate(images)]
    folders = root / part / "image", root / part / "label"
    files, label_files = (list_images(folder) if folder.is_dir() else [] for folder in folders)
    if part == "train" and not files:
        raise UserError(f"{root}: has neither {stack.name} nor images in {part}/image; give the archive or its folder")
    if part == "test" and not label_files:
        return [((file, 0), None) for file in files]
    by_order = pair_by == "order"
    pairs = pair_by_order(files, label_files) if by_order else pair_by_name(files, label_files, _ADVICE)
    return [((image, 0), (label, 0)) for image, label in pairs]


def _read(section: Section) -> tuple[NDArray, NDArray | None]:
    image, label = section
    return read_image(*image), None if label is None else read_mask(*label)


def _check_blobs(root: Path) -> None:
    for name, expected in BLOBS.items():
        content = (root / name).read_bytes() if (root / name).is_file() else b""
        found = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        if found != expected:
            raise UserError(
                f"{root / name}: has git blob SHA-1 {found}, not {expected}; delete the archive, fetch again"
            )
