"""A folder of own images and masks, paired by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from custom.data.image_io import check_image, check_mask, count_pages, read_image, read_mask, require_shape
from custom.data.labels import LabelFormat, LabelKind
from custom.data.pairs import LABEL_ENDINGS, list_images, list_masks, pair_by_name, stem_of
from custom.errors import UserError

from .overview import CONTACT_SHEET, Overview, chosen, skipped_line
from .splits import Split, assign
from .writer import new_dataset

MASK_FOLDERS = ("masks", "labels")
MICROSCOPE_FORMATS = (".czi", ".nd2", ".lif", ".oib", ".oif", ".vsi", ".svs", ".ndpi", ".lsm", ".dv", ".ims")
_LISTED = 8


@dataclass(frozen=True)
class Sources:
    """Image files, mask files, and files beside them that are neither."""

    images: list[Path]
    masks: list[Path]
    skipped: list[Path] = field(default_factory=list)


@dataclass(frozen=True)
class Pair:
    """One page of an image file, with its mask; `name` is that of the output."""

    name: str
    image: Path
    mask: Path
    page: int
    channel: int | None

    def check(self) -> NDArray:
        """Read both, and return the mask (H, W). Raises UserError if something is wrong with them."""
        image, mask = check_image(self.image, self.page, self.channel), check_mask(self.mask, self.page)
        require_shape(mask, self.mask, self.image, image.shape)
        return mask

    def read(self) -> tuple[NDArray, NDArray]:
        """Image (H, W) or (H, W, C) and mask (H, W)."""
        return read_image(self.image, self.page, self.channel), read_mask(self.mask, self.page)


def find_sources(source: Path | None, images: Path | None, masks: Path | None) -> Sources:
    """Files of `source`, or of the folders `images` and `masks`.

    `source` holds folders images/ and masks/ (or labels/), or images and masks side by side, where a mask's name ends
    with `_mask`, `_label`, `_seg`, `_gt` or the like.

    Raises:
        UserError: no such folders, no images in them, or neither or both kinds of arguments.
    """
    if source is not None and images is None and masks is None:
        if source.is_dir() and not (source / "images").is_dir() and list_images(source):
            return _side_by_side(source)
        found = (source / name for name in MASK_FOLDERS)
        images, masks = source / "images", next(filter(Path.is_dir, found), source / "masks")
    elif source is not None or images is None or masks is None:
        raise UserError("--source: give --source DIR with images/ and masks/ in it, or both --images and --masks")
    for folder in (images, masks):
        if not folder.is_dir():
            raise UserError(
                f"{folder}: no such folder; give --source DIR with images/ and masks/, or --images and --masks"
            )
    sources = Sources(list_images(images), list_masks(masks))
    return _with_skipped(sources, images, masks)


def _side_by_side(folder: Path) -> Sources:
    files = list_masks(folder)
    masks = [file for file in files if stem_of(file).lower().endswith(LABEL_ENDINGS)]
    return _with_skipped(Sources([file for file in list_images(folder) if file not in masks], masks), folder)


def _with_skipped(sources: Sources, *folders: Path) -> Sources:
    known = {*sources.images, *sources.masks}
    beside = sorted({file for folder in folders for file in folder.iterdir()} - known)
    skipped = [file for file in beside if file.is_file() and not file.name.startswith(".")]
    if not sources.images:
        line = skipped_line(skipped, MICROSCOPE_FORMATS)
        more = f" ({line})" if line else ""
        raise UserError(f"{folders[0]}: no images; put PNG, TIFF, JPEG or BMP files there{more}")
    return Sources(sources.images, sources.masks, skipped)


def prepare(
    sources: Sources,
    output: Path,
    kind: LabelKind | None = None,
    ignore: int | None = None,
    invert: bool = False,
    channel: int | None = None,
    split: Split = Split(),  # noqa: B008 (frozen)
) -> list[str]:
    """Write the data set, one file per image or page: PNG for 8 bits (and 16 bits gray), TIFF for the rest.

    Args:
        sources: images, and masks with the same names but for `LABEL_ENDINGS`.
        output: the new folder.
        kind: what mask values mean; None: two classes, if there are two values.
        ignore: mask value of pixels that count in no loss and no metric.
        invert: whether, of two classes, the smaller value is the foreground.
        channel: which one to take, from 0, of images with several channels.
        split: what is held out.

    Returns:
        Lines for the console: what the data set holds, and what was skipped.

    Raises:
        UserError: as `new_dataset`; images without masks; unreadable files; masks whose kind has to be said.
    """
    pairs = [page for file in pair_by_name(sources.images, sources.masks) for page in _pages(*file, channel)]
    _require_names(pairs)
    splits = assign([pair.image for pair in pairs], split)
    folder, masks = sources.images[0].absolute().parent, sources.masks[0].parent
    values, single = _mask_values(pairs, ignore)
    label_format, names = _label_format(values, kind, ignore, masks, single)
    if invert:
        label_format = _inverted(label_format)
    about = {
        "name": (folder if folder == masks.absolute() else folder.parent).name,
        "description": f"{len(pairs)} images and masks",
        "licence": "as you have agreed with those who made the images",
        "reference": "not given",
        "channel": "gray value",
    }
    overview = Overview(label_format, chosen(len(pairs)))
    with new_dataset(output, about, label_format, names) as writer:
        for pair, name in zip(pairs, splits, strict=True):
            image, mask = pair.read()
            overview.add(f"{pair.name} ({name})", image, mask, pair.mask)
            writer.add(name, "data", pair.name, image, mask)
        writer.picture(CONTACT_SHEET, overview.contact_sheet())
    skipped = skipped_line(sources.skipped, MICROSCOPE_FORMATS)
    look = f"look at {output / CONTACT_SHEET}: outlines should follow the objects"
    return [*overview.lines(), *([skipped] if skipped else []), look]


def _pages(image: Path, mask: Path, channel: int | None) -> Iterator[Pair]:
    pages, mask_pages = count_pages(image), count_pages(mask)
    if pages != mask_pages:
        raise UserError(
            f"{mask}: has {mask_pages} pages, its image {image.name} has {pages}; give a mask for each page"
        )
    for page in range(pages):
        yield Pair(image.stem if pages == 1 else f"{image.stem}_{page:03d}", image, mask, page, channel)


def _require_names(pairs: list[Pair]) -> None:
    """Raise UserError if two pages would be written under one name, on a system that ignores case."""
    seen: dict[str, Pair] = {}
    for pair in pairs:
        other = seen.setdefault(pair.name.casefold(), pair)
        if other is not pair:
            raise UserError(f"{other.image} and {pair.image}: both would become {pair.name}; rename one of them")


def _mask_values(pairs: list[Pair], ignore: int | None) -> tuple[list[int], Path | None]:
    """All values in the masks, in order, but the one to ignore; and, if no mask has more than one value that is not 0,
    a mask in which it marks several regions. Reads each image, too, to find what is broken."""
    values: set[int] = set()
    unnumbered: Path | None = None
    numbered = False
    for pair in pairs:
        mask = pair.check()
        own = set(np.unique(mask).tolist()) - {ignore}
        values |= own
        numbered |= len(own - {0}) > 1
        if unnumbered is None and len(own - {0}) == 1 and ndimage.label(np.isin(mask, list(own - {0})))[1] > 1:
            unnumbered = pair.mask
    return sorted(values), None if numbered else unnumbered


def _label_format(
    values: list[int], kind: LabelKind | None, ignore: int | None, masks: Path, unnumbered: Path | None
) -> tuple[LabelFormat, tuple[str, ...]]:
    listed = ", ".join(map(str, values[:_LISTED])) + (", ..." if len(values) > _LISTED else "")
    if len(values) < 2:
        raise UserError(f"{masks}: the masks hold the value {listed or 'none'} alone; nothing can be learnt from them")
    if kind == "instances":
        if unnumbered is not None:
            raise UserError(
                f"{unnumbered}: has separate regions of one value, which --instances takes for one object; leave "
                "--instances out, or number the objects"
            )
        return LabelFormat("instances", ignore=ignore), ("background", "cell")
    if len(values) > 2 and kind is None:
        raise UserError(
            f"{masks}: the masks hold {len(values)} values ({listed}); say --instances if each is an object, --classes "
            "if each is a class, or --ignore VALUE if one is not to count"
        )
    names = ("background", "foreground") if len(values) == 2 else tuple(f"class {value}" for value in values)
    return LabelFormat("classes", tuple(values), ignore), names


def _inverted(label_format: LabelFormat) -> LabelFormat:
    if label_format.kind != "classes" or len(label_format.values) != 2:
        raise UserError("--invert: needs masks of two classes; leave it out")
    return LabelFormat("classes", label_format.values[::-1], label_format.ignore)
