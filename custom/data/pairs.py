"""Which image files a folder has, and which label belongs to which image."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from ..errors import UserError
from .decode import IMAGE_SUFFIXES, MASK_SUFFIXES

LABEL_ENDINGS = ("_cp_masks", "_masks", "_mask", "_labels", "_label", "_seg", "_gt", "_rois", "_roiset")
"""Endings that the name of a label may add to the name of its image."""
IMAGE_ENDINGS = ("_img", "_image", "_raw", "_0000")
"""Endings that names of images have and those of labels lack: of Cellpose's data, and of nnU-Net's first channel."""


def list_images(folder: Path, suffixes: Sequence[str] = IMAGE_SUFFIXES) -> list[Path]:
    """Files of a folder with one of the suffixes, in any case, sorted by name; hidden files are left out.

    A link to nothing counts as a file, so that its reader reports it.
    """
    files = [file for file in folder.iterdir() if not file.name.startswith(".") and not file.is_dir()]
    return sorted(file for file in files if file.name.lower().endswith(tuple(suffixes)))


def list_masks(folder: Path) -> list[Path]:
    """Files of a folder with a suffix that `read_mask` supports, sorted by name."""
    return list_images(folder, MASK_SUFFIXES)


def stem_of(file: Path) -> str:
    """File name without its suffix, of which `.nii.gz` is one, and without the `.ome` of OME-TIFF before it."""
    return _without_ome(file.name[:-7] if file.name.lower().endswith(".nii.gz") else file.stem)


def composed(name: str) -> str:
    """A name with each accent in its letter (NFC). Some programs and macOS store accents as characters of their own."""
    return unicodedata.normalize("NFC", name)


def image_name(label: Path) -> str:
    """Name, without suffix, of the image that a label belongs to."""
    return _without_ome(_without_ending(stem_of(label), LABEL_ENDINGS))


def base_name(image: Path) -> str:
    """Name of an image without its suffix and without one of `IMAGE_ENDINGS`."""
    return _without_ending(stem_of(image), IMAGE_ENDINGS)


def pair_by_name(images: Iterable[Path], labels: Iterable[Path], advice: str = "") -> list[tuple[Path, Path]]:
    """Pair images with labels of the same name, sorted by name of the image.

    A label may end with one of `LABEL_ENDINGS`. If with that not all names agree, an image may end with one of
    `IMAGE_ENDINGS`; and if still not, leading zeros of numbers do not count: `7.png` belongs to `07.png`.

    Args:
        images: image files, or predictions.
        labels: label files.
        advice: further advice for the error message.

    Raises:
        UserError: an image without label, a label without image, or two files of one name.
    """
    images, labels = list(images), list(labels)
    wanted = {composed(image_name(file)) for file in labels}
    for name_of in (stem_of, base_name):
        if {composed(name_of(file)) for file in images} == wanted:
            return _join(images, labels, name_of, composed, advice)
    return _join(images, labels, stem_of, _without_zeros, advice)


def pair_by_order(images: Iterable[Path], labels: Iterable[Path]) -> list[tuple[Path, Path]]:
    """Pair sorted images with sorted labels, whatever their names.

    Raises:
        UserError: their numbers differ.
    """
    images, labels = sorted(images), sorted(labels)
    if len(images) != len(labels):
        where = (labels or images)[0].parent
        raise UserError(f"{where}: {len(images)} images, but {len(labels)} labels; give one label for each image")
    return list(zip(images, labels, strict=True))


def _join(
    images: list[Path],
    labels: list[Path],
    name_of: Callable[[Path], str],
    normal: Callable[[str], str],
    advice: str,
) -> list[tuple[Path, Path]]:
    by_name = _index(images, lambda file: normal(name_of(file)))
    labels_by_name = _index(labels, lambda file: normal(image_name(file)))
    more = f"; {advice}" if advice else ""
    for name, file in by_name.items():
        if name not in labels_by_name:
            raise UserError(f"{file}: has no label of its name; name one {stem_of(file)} or {stem_of(file)}_mask{more}")
    for name, file in labels_by_name.items():
        if name not in by_name:
            raise UserError(f"{file}: has no image; name one {image_name(file)}, or remove the label{more}")
    return [(file, labels_by_name[name]) for name, file in sorted(by_name.items(), key=lambda item: item[1])]


def _index(files: list[Path], name_of: Callable[[Path], str]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for file in files:
        name = name_of(file)
        if name in found:
            raise UserError(f"{file}: has the same name as {found[name].name}; rename one of them")
        found[name] = file
    return found


def _without_ending(stem: str, endings: Iterable[str]) -> str:
    for ending in endings:
        if stem.lower().endswith(ending) and len(stem) > len(ending):
            return stem[: -len(ending)]
    return stem


def _without_ome(stem: str) -> str:
    return stem[:-4] if stem.lower().endswith(".ome") and len(stem) > 4 else stem


def _without_zeros(name: str) -> str:
    return re.sub(r"\d+", lambda number: number[0].lstrip("0") or "0", composed(name))
