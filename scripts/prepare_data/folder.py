"""A folder of own images and masks, paired by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from custom.data.decode import IMAGE_SUFFIXES, NIFTI_SUFFIXES
from custom.data.image_io import count_pages, read_image, read_mask, require_shape
from custom.data.labels import LabelFormat, LabelKind
from custom.errors import UserError

from .writer import new_dataset

_MASK_ENDINGS = ("_mask", "_masks")
_LISTED = 8


@dataclass(frozen=True)
class Split:
    """Which files are held out for validation: fold `fold` of `folds`, or a share `fraction`; at random by `seed`."""

    fraction: float = 0.2
    seed: int = 0
    folds: int | None = None
    fold: int | None = None


@dataclass(frozen=True)
class Pair:
    """One page of an image file, with its mask; `name` is that of the output."""

    name: str
    image: Path
    mask: Path
    page: int

    def read(self) -> tuple[NDArray, NDArray]:
        """Image (H, W) or (H, W, C) and mask (H, W). Raises UserError if their shapes differ."""
        image, mask = read_image(self.image, self.page), read_mask(self.mask, self.page)
        require_shape(mask, self.mask, self.image, image.shape)
        return image, mask


def find_folders(source: Path | None, images: Path | None, masks: Path | None) -> tuple[Path, Path]:
    """The folders of images and masks. Raises UserError unless `source`, or both of the others, lead to them."""
    if source is not None and images is None and masks is None:
        images, masks = source / "images", source / "masks"
    elif source is not None or images is None or masks is None:
        raise UserError("--source: give --source DIR with images/ and masks/ in it, or both --images and --masks")
    for folder in (images, masks):
        if not folder.is_dir():
            raise UserError(
                f"{folder}: no such folder; give --source DIR with images/ and masks/, or --images and --masks"
            )
    return images, masks


def prepare(folders: tuple[Path, Path], output: Path, kind: LabelKind | None, ignore: int | None, split: Split) -> None:
    """Write the data set, one file per image or page: PNG for 8 bits (and 16 bits gray), TIFF for the rest.

    Args:
        folders: of the images, and of masks with the same names; a mask's name may end with `_mask`.
        output: the new folder.
        kind: what mask values mean; None: two classes, if there are two values.
        ignore: mask value of pixels that count in no loss and no metric.
        split: what is held out.

    Raises:
        UserError: as `new_dataset`; images without masks; unreadable files; masks whose kind has to be said.
    """
    files = pair_files(*folders)
    held_out = hold_out(files, split)
    pairs = [page for file in files for page in _pages(file)]
    values = _mask_values(pairs, ignore)
    label_format, names = _label_format(values, kind, ignore, folders[1])
    about = {
        "name": folders[0].absolute().parent.name,
        "description": f"{len(pairs)} images and masks",
        "licence": "as you have agreed with those who made the images",
        "reference": "not given",
        "channel": "gray value",
    }
    with new_dataset(output, about, label_format, names) as writer:
        for pair in pairs:
            writer.add("validation" if pair.image in held_out else "training", "data", pair.name, *pair.read())


def pair_files(images: Path, masks: Path) -> list[tuple[Path, Path]]:
    """Image and mask files of the same name. Raises UserError if one lacks the other, or there are two of a name."""
    by_name = _by_name(images, IMAGE_SUFFIXES, ())
    masks_by_name = _by_name(masks, (*IMAGE_SUFFIXES, *NIFTI_SUFFIXES), _MASK_ENDINGS)
    if not by_name:
        raise UserError(f"{images}: no images; put PNG, TIFF, JPEG or BMP files there")
    for name, file in by_name.items():
        if name not in masks_by_name:
            raise UserError(f"{file}: has no mask; put one named {name} or {name}_mask into {masks}")
    for name, file in masks_by_name.items():
        if name not in by_name:
            raise UserError(f"{file}: has no image; put one named {name} into {images}, or take the mask away")
    return [(by_name[name], masks_by_name[name]) for name in sorted(by_name)]


def _by_name(folder: Path, suffixes: tuple[str, ...], endings: tuple[str, ...]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for file in sorted(folder.iterdir()):
        if not file.name.lower().endswith(suffixes) or file.name.startswith("."):
            continue
        name = file.name[: -7 if file.name.lower().endswith(".nii.gz") else -len(file.suffix)]
        for ending in endings:
            name = name.removesuffix(ending)
        if name in found:
            raise UserError(f"{file}: has the same name as {found[name].name}; rename one of them")
        found[name] = file
    return found


def _pages(file: tuple[Path, Path]) -> Iterator[Pair]:
    image, mask = file
    pages, mask_pages = count_pages(image), count_pages(mask)
    if pages != mask_pages:
        raise UserError(
            f"{mask}: has {mask_pages} pages, its image {image.name} has {pages}; give a mask for each page"
        )
    for page in range(pages):
        yield Pair(image.stem if pages == 1 else f"{image.stem}_{page:03d}", image, mask, page)


def hold_out(files: list[tuple[Path, Path]], split: Split) -> set[Path]:
    """Image files for validation. Pages of one file stay together, for neighbouring sections resemble each other.

    Raises:
        UserError: fewer than two files; a fraction, a fold or a number of folds that cannot be.
    """
    count = len(files)
    if count < 2:
        raise UserError(
            f"{files[0][0]}: is the only image file; give two or more, one to train on and one to validate on"
        )
    order = np.random.default_rng(split.seed).permutation(count)
    if split.folds is None:
        if split.fold is not None:
            raise UserError("--fold: needs --folds, the number of folds")
        if not 0 < split.fraction < 1:
            raise UserError(f"--validation_fraction: is {split.fraction}; give a share between 0 and 1")
        chosen = order[: min(max(round(split.fraction * count), 1), count - 1)]
    else:
        fold = split.folds - 1 if split.fold is None else split.fold
        if not 2 <= split.folds <= count:
            raise UserError(f"--folds: is {split.folds}; {count} files can be split into 2 to {count} folds")
        if not 0 <= fold < split.folds:
            raise UserError(f"--fold: is {fold}; with {split.folds} folds, give 0 to {split.folds - 1}")
        chosen = np.array_split(order, split.folds)[fold]
    return {files[index][0] for index in chosen}


def _mask_values(pairs: list[Pair], ignore: int | None) -> list[int]:
    """All values in the masks, in order, but the one to ignore. Reads each image, too, to find what is broken."""
    values: set[int] = set()
    for pair in pairs:
        values |= set(np.unique(pair.read()[1]).tolist())
    return sorted(values - {ignore})


def _label_format(
    values: list[int], kind: LabelKind | None, ignore: int | None, masks: Path
) -> tuple[LabelFormat, tuple[str, ...]]:
    listed = ", ".join(map(str, values[:_LISTED])) + (", ..." if len(values) > _LISTED else "")
    if len(values) < 2:
        raise UserError(f"{masks}: the masks hold the value {listed or 'none'} alone; nothing can be learnt from them")
    if kind == "instances":
        return LabelFormat("instances", ignore=ignore), ("background", "cell")
    if len(values) > 2 and kind is None:
        raise UserError(
            f"{masks}: the masks hold {len(values)} values ({listed}); say --instances if each is an object, --classes "
            "if each is a class, or --ignore VALUE if one is not to count"
        )
    names = ("background", "foreground") if len(values) == 2 else tuple(f"class {value}" for value in values)
    return LabelFormat("classes", tuple(values), ignore), names
