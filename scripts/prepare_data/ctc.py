"""Two-dimensional data sets of the Cell Tracking Challenge, with masks by hand (gold) and by computer (silver)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from custom.data.image_io import count_pages, read_image, read_mask
from custom.data.labels import LabelFormat
from custom.errors import UserError

from .source import Archive, open_source
from .writer import new_dataset

ANNOTATIONS = ("both", "gold", "silver")
IGNORE = 65535
GAP = 5  # frames left out between training and validation: a cell hardly moves from one to the next
TIME_FOLDS = 3
_COVERED = 0.25  # share of a silver cell that an annotation has to cover to count as an annotation of this cell
_RIM = 5  # pixels around a cell that is not annotated, whose outline is known only roughly

_URL = "http://data.celltrackingchallenge.net/training-datasets/"
_TERMS = {
    "licence": "No commercial use without permission of the Cell Tracking Challenge, which is to be acknowledged.",
    "reference": "Ulman et al. 2017, Nature Methods 14(12); http://celltrackingchallenge.net",
}


@dataclass(frozen=True)
class CtcData:
    """A data set of the challenge; the pixel size in micrometres, if known, is that of its page of data sets."""

    archive: Archive
    about: dict[str, str]
    pixel_size: float | None


def _data(folder: str, sha256: str, description: str, channel: str, pixel_size: float) -> CtcData:
    about = {"name": folder, "description": description, **_TERMS, "channel": channel}
    return CtcData(Archive(f"{_URL}{folder}.zip", folder, sha256), about, pixel_size)


DATASETS = {
    "dic-hela": _data(
        "DIC-C2DH-HeLa",
        "832fed2d05bb7488cf9c51a2994b75f8f3f53b3c3098856211f2d39023c34e1a",
        "HeLa cells on flat glass.",
        "differential interference contrast",
        0.19,
    ),
    "phc-u373": _data(
        "PhC-C2DH-U373",
        "b18185c18fce54e8eeb93e4bbb9b201d757add9409bbf2283b8114185a11bc9e",
        "U373 glioblastoma-astrocytoma cells on polyacrylamide.",
        "phase contrast",
        0.65,
    ),
}


def other_data(source: Path, pixel_size: float | None) -> CtcData:
    """Any data set of the challenge: its name is that of the archive or folder at hand."""
    name = source.absolute().name.removesuffix(".zip")
    about = {"name": name, "description": "2D sequences with masks of cells.", **_TERMS, "channel": "gray value"}
    return CtcData(Archive(f"{_URL}{name}.zip", name), about, pixel_size)


@dataclass(frozen=True)
class CtcSequence:
    """Files of one sequence, by frame number."""

    name: str
    images: dict[int, Path]
    gold: dict[int, Path]
    silver: dict[int, Path]
    _cache: dict[Path, NDArray] = field(default_factory=dict, compare=False)

    def mask(self, path: Path) -> NDArray:
        """Instance mask (H, W) of a gold or silver file."""
        if path not in self._cache:
            self._cache[path] = read_mask(path)
        return self._cache[path]


def prepare(
    data: CtcData,
    source: Path | None,
    output: Path,
    annotations: str = "both",
    folds: int | None = None,
    fold: int | None = None,
) -> None:
    """Write the data set: images and instance masks, 65535 where a cell is not annotated.

    Validation uses the gold masks of what is held out (silver ones if it has no gold). With several sequences a fold is
    one sequence. A single sequence is split in time: each fold is a stretch with as many gold frames as the others, and
    frames within `GAP` of the held-out stretch are not trained on.

    A cell counts as not annotated where the silver mask of this frame, or of the one before or after, has a cell that
    the annotation leaves out; that region is to be ignored. `annotations="both"` trains on gold masks, and on the
    silver mask of a frame without gold or with a gold mask that lacks some of the silver cells.

    Args:
        data: one of `DATASETS`, or `other_data`.
        source: the zip or its folder; None downloads the zip.
        output: the new folder.
        annotations: masks to train on: "both", "gold" or "silver".
        folds: number of folds; by default the number of sequences, or 3 for one sequence. 1 holds nothing out, for the
            final training of a recipe that other folds have chosen.
        fold: the fold that is held out, from 0; by default the last.

    Raises:
        UserError: as `open_source` and `new_dataset`; files missing; no such fold; nothing to train on.
    """
    with (
        new_dataset(
            output,
            data.about,
            LabelFormat("instances", ignore=IGNORE),
            ("background", "cell"),
            pixel_size=data.pixel_size,
        ) as writer,
        open_source(source, data.archive, output.absolute().parent / "downloads") as root,
    ):
        for split, sequence, frame, path in _choose(_sequences(root), annotations, folds, fold):
            mask = ignore_unannotated(sequence, frame, path)
            writer.add(split, sequence.name, f"t{frame:03d}", read_image(sequence.images[frame]), mask)


def _sequences(root: Path) -> list[CtcSequence]:
    found = []
    for name in ("01", "02"):
        images = _frames(root / name, "t")
        gold, silver = (_frames(root / f"{name}_{kind}" / "SEG", "man_seg") for kind in ("GT", "ST"))
        orphans = sorted((set(gold) | set(silver)) - set(images))
        if images and (slices := count_pages(min(images.items())[1])) > 1:
            raise UserError(
                f"{root / name}: has images of {slices} slices; only 2D data sets of the challenge are read"
            )
        if orphans:
            raise UserError(f"{root / name}: has masks but no image of frame {orphans[0]}; give the complete sequence")
        if gold or silver:
            found.append(CtcSequence(name, images, gold, silver))
    if not found:
        raise UserError(
            f"{root}: no sequence with masks (01 and 01_GT/SEG or 01_ST/SEG); give the archive or its folder"
        )
    return found


def _frames(folder: Path, prefix: str) -> dict[int, Path]:
    files = sorted(folder.glob(f"{prefix}[0-9]*.tif"))
    return {int(file.stem.removeprefix(prefix)): file for file in files if file.stem.removeprefix(prefix).isdigit()}


Choice = tuple[str, CtcSequence, int, Path]


def _choose(sequences: list[CtcSequence], annotations: str, folds: int | None, fold: int | None) -> Iterator[Choice]:
    """Split, sequence, frame number and mask file of each item."""
    single = len(sequences) == 1
    folds = folds or (TIME_FOLDS if single else len(sequences))
    fold = folds - 1 if fold is None else fold
    most = len(_scored(sequences[0])) if single else len(sequences)
    if not 1 <= folds <= most or (not single and folds not in (1, most)):
        choice = f"2 to {most}" if single else most
        raise UserError(f"--folds: is {folds}; give {choice}, of this source, or 1 to hold nothing out")
    if not 0 <= fold < folds:
        raise UserError(f"--fold: is {fold}; with {folds} folds, give 0 to {folds - 1}")
    for number, sequence in enumerate(sequences):
        if folds == 1:
            held_out = range(0)
        elif single:
            held_out = time_block(sequence, folds, fold)
        else:
            held_out = range(max(sequence.images) + 1 if number == fold else 0)
        for frame, path in sorted(_training_masks(sequence, annotations).items()):
            if not held_out or not held_out.start - GAP <= frame < held_out.stop + GAP:
                yield "training", sequence, frame, path
        for frame, path in sorted(_scored(sequence).items()):
            if frame in held_out:
                yield "validation", sequence, frame, path


def time_block(sequence: CtcSequence, folds: int, fold: int) -> range:
    """Frames of stretch `fold`; stretches hold equal numbers of gold frames, from the first to the last of them."""
    blocks = np.array_split(sorted(_scored(sequence)), folds)
    start = int(blocks[fold][0]) if fold else 0
    stop = int(blocks[fold][-1]) + 1 if fold < folds - 1 else max(sequence.images) + 1
    return range(start, stop)


def _scored(sequence: CtcSequence) -> dict[int, Path]:
    return sequence.gold or sequence.silver


def _training_masks(sequence: CtcSequence, annotations: str) -> dict[int, Path]:
    if annotations == "gold":
        return sequence.gold
    if annotations == "silver":
        return sequence.silver
    complete = {
        frame: path
        for frame, path in sequence.gold.items()
        if frame not in sequence.silver or not _missed(sequence.mask(path), sequence.mask(sequence.silver[frame])).any()
    }
    return sequence.gold | sequence.silver | complete


def ignore_unannotated(sequence: CtcSequence, frame: int, path: Path) -> NDArray:
    """The mask of a frame with 65535 where the silver masks around this time have cells that it leaves out."""
    mask = sequence.mask(path)
    if int(mask.max()) >= IGNORE:
        raise UserError(f"{path}: has instance id {mask.max()}; ids below {IGNORE} are needed")
    missed = np.zeros(mask.shape, bool)
    for near in (frame - 1, frame, frame + 1):
        if near in sequence.silver:
            missed |= _missed(mask, sequence.mask(sequence.silver[near]))
    if not missed.any():
        return mask
    around = binary_dilation(missed, iterations=_RIM) & (mask == 0)
    return np.where(around, IGNORE, mask)


def _missed(mask: NDArray, silver: NDArray) -> NDArray[np.bool_]:
    """Where `silver` has cells that `mask` does not cover."""
    if mask.shape != silver.shape:
        raise UserError(f"masks of one frame have shapes {mask.shape} and {silver.shape}; fetch the data set again")
    area = np.bincount(silver.ravel())
    covered = np.bincount(silver.ravel(), mask.ravel() > 0, len(area))
    lacking = covered < _COVERED * area
    lacking[0] = False
    return lacking[silver]
