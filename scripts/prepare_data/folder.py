"""A folder of own images and labels."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from custom.data.channels import Channel
from custom.data.image_io import check_image, count_pages, read_image
from custom.data.labels import LabelFormat, LabelKind
from custom.data.pairs import stem_of
from custom.data.pixel_size import stated_pixel_size
from custom.errors import UserError
from custom.wording import counted

from .channels import Channels
from .labels import Label, Values, open_label
from .overview import CONTACT_SHEET, Overview, chosen, skipped_line
from .regions import IGNORE, IGNORED_AMONG_CLASSES, IGNORED_AMONG_OBJECTS
from .sources import Source, Sources
from .splits import Split, assign
from .values import MaskValues
from .writer import new_dataset

_LISTED = 8
_SAME = 0.01  # pixel sizes that differ by less are equal


@dataclass(frozen=True)
class Pair:
    """One page of an image file, with its label; `name` is that of the output."""

    name: str
    image: Path
    label: Label
    page: int
    channel: Channel
    axes: str | None

    def check(self, values: Values | None) -> NDArray:
        """Read both, and return the mask (H, W). Raises UserError if something is wrong with them."""
        image = check_image(self.image, self.page, self.channel, self.axes)
        return self.label.check(self.page, image.shape, values)

    def read(self, values: Values | None) -> tuple[NDArray, NDArray]:
        """Image (H, W) or (H, W, C) and mask (H, W)."""
        image = read_image(self.image, self.page, self.channel, self.axes)
        return image, self.label.read(self.page, image.shape, values)


def prepare(
    sources: Sources,
    output: Path,
    kind: LabelKind | None = None,
    ignore: int | None = None,
    invert: bool = False,
    channels: Channels = Channels(),  # noqa: B008 (frozen)
    split: Split = Split(),  # noqa: B008 (frozen)
    pixel_size: float | None = None,
) -> list[str]:
    """Write the data set, one file per image or page: PNG for 8 bits (and 16 bits gray), TIFF for the rest.

    Args:
        sources: images with their labels.
        output: the new folder.
        kind: what mask values mean; None: two classes, if there are two values, and objects, if objects were drawn.
        ignore: mask value of pixels that count in no loss and no metric.
        invert: whether, of two classes, the smaller value is the foreground.
        channels: which ones to take of images with several channels.
        split: what is held out.
        pixel_size: side of a pixel in micrometres; None: what the files state, if all state the same.

    Returns:
        Lines for the console: what the data set holds, and what was skipped.

    Raises:
        UserError: as `new_dataset`; unreadable files; labels whose kind has to be said.
    """
    pairs = [page for source in sources.pairs for page in _pages(source, channels)]
    _require_names(pairs)
    images = [pair.image for pair in pairs]
    assign(images, split)  # an impossible split is refused before all files are read
    if sources.splits:
        warnings.warn(
            f"images of {', '.join(sources.splits)} are divided anew, as --split says: to keep folders apart, prepare "
            "each by itself, or correct the lists of dataset.json",
            stacklevel=2,
        )
    drawn, label_format, names, held = _format_of(pairs, kind, ignore)
    lists = assign(images, split, held)
    _warn_of_one_class(lists, held)
    if invert:
        label_format = _inverted(label_format)
    about = {
        "name": sources.name,
        "description": f"{counted(len(pairs), 'image')} and {counted(len(pairs), 'mask')}",
        "licence": "as you have agreed with those who made the images",
        "reference": "not given",
        "channel": "gray value",
    }
    overview = Overview(label_format, chosen(len(pairs)), channels.gray_rule())
    size = _pixel_size(pairs, pixel_size)
    with new_dataset(output, about, label_format, names, channels.names, size) as writer:
        for pair, name in zip(pairs, lists, strict=True):
            image, mask = pair.read(drawn)
            overview.add(f"{pair.name} ({name})", image, mask, pair.label.path)
            writer.add(name, "data", pair.name, image, mask)
        writer.picture(CONTACT_SHEET, overview.contact_sheet())
    skipped = skipped_line(sources.skipped)
    look = f"look at {output / CONTACT_SHEET}: outlines should follow the objects"
    return [*overview.lines(), *([skipped] if skipped else []), look]


def _format_of(
    pairs: list[Pair], kind: LabelKind | None, ignore: int | None
) -> tuple[Values | None, LabelFormat, tuple[str, ...], list[set[int]]]:
    """Values of drawn objects by category (None for masks), format of the labels, class names, classes in each label.

    Reads every image and label, to find what is broken.
    """
    categories = _categories(pairs)
    if categories is None:
        masks = _mask_values(pairs, ignore)
        drawn, (label_format, names) = None, _label_format(masks, kind, ignore, pairs[0].label.path)
        values = masks.of_masks
    else:
        drawn, label_format, names = _drawn_format(categories, kind, ignore)
        values = [set(np.unique(pair.check(drawn)).tolist()) - {label_format.ignore} for pair in pairs]
    if label_format.kind == "instances":
        values = [{int(value > 0) for value in own} for own in values]
    return drawn, label_format, names, values


def _pages(source: Source, channels: Channels) -> Iterator[Pair]:
    channel = channels.of(source.image)
    pages, label = count_pages(source.image, channels.axes), open_label(source.label, source.image)
    label.check_pages(pages)
    for page in range(pages):
        name = f"{source.prefix}{stem_of(source.image)}" + ("" if pages == 1 else f"_{page:03d}")
        yield Pair(name, source.image, label, page, channel, channels.axes)


def _pixel_size(pairs: list[Pair], given: float | None) -> float | None:
    """The given one, or that of the files, if all state the same; warns of what is not taken."""
    found = {stated_pixel_size(image) for image in {pair.image for pair in pairs}}
    sizes = sorted(size for size in found if size is not None)
    stated = ", ".join(f"{size:g}" for size in sizes)
    if given is not None:
        if any(not math.isclose(size, given, rel_tol=_SAME) for size in sizes):
            warnings.warn(f"--pixel_size {given:g} is recorded; the files state {stated} micrometres", stacklevel=3)
        return given
    if not sizes:
        return None
    if None in found or not math.isclose(sizes[0], sizes[-1], rel_tol=_SAME):
        those = "only some files state one" if None in found else "files differ"
        warnings.warn(
            f"no pixel size is recorded, as {those} ({stated} micrometres); if all have the same, give --pixel_size",
            stacklevel=3,
        )
        return None
    return sizes[0]


def _categories(pairs: list[Pair]) -> list[str] | None:
    """Names of the classes of drawn objects; None of masks. Raises UserError if some labels are of either kind."""
    found = {pair.label.path: pair.label.categories for pair in pairs}
    masks = [path for path, names in found.items() if names is None]
    drawn = [path for path, names in found.items() if names is not None]
    if masks and drawn:
        raise UserError(f"{masks[0]} is a mask, {drawn[0].name} holds objects; give all labels as one or the other")
    return None if masks else sorted({name for names in found.values() for name in names or ()})


def _drawn_format(
    categories: list[str], kind: LabelKind | None, ignore: int | None
) -> tuple[Values | None, LabelFormat, tuple[str, ...]]:
    """Mask values of the classes (None: numbers of objects), their meaning, and names; `IGNORE` is no class."""
    if ignore is not None:
        raise UserError("--ignore: is a mask value, and the labels are drawn objects; leave it out")
    ignored = IGNORE in categories
    categories = [name for name in categories if name != IGNORE]
    if not categories:
        raise UserError("--source: no object in any label; nothing can be learnt from them")
    if kind is None and len(categories) > 1:
        raise UserError(
            f"--source: the objects have {len(categories)} classes ({', '.join(categories[:_LISTED])}); say --classes "
            "to learn these, or --instances to learn objects of any class"
        )
    if kind != "classes":
        return None, LabelFormat("instances", ignore=IGNORED_AMONG_OBJECTS if ignored else None), ("background", "cell")
    values = {name: number for number, name in enumerate(categories, start=1)}
    label_format = LabelFormat("classes", (0, *values.values()), IGNORED_AMONG_CLASSES if ignored else None)
    return {**values, IGNORE: IGNORED_AMONG_CLASSES}, label_format, ("background", *categories)


def _warn_of_one_class(lists: list[str], held: list[set[int]]) -> None:
    validated = set().union(*(own for name, own in zip(lists, held, strict=True) if name == "validation"))
    if len(validated) == 1:
        warnings.warn(
            "the labels of `validation` hold one class alone, with which no training begins: hold out more or others "
            "(--validation_fraction, --split, --fold), or correct the lists of dataset.json",
            stacklevel=3,
        )


def _require_names(pairs: list[Pair]) -> None:
    """Raise UserError if two pages would be written under one name, on a system that ignores case."""
    seen: dict[str, Pair] = {}
    for pair in pairs:
        other = seen.setdefault(pair.name.casefold(), pair)
        if other is not pair:
            raise UserError(f"{other.image} and {pair.image}: both would become {pair.name}; rename one of them")


def _mask_values(pairs: list[Pair], ignore: int | None) -> MaskValues:
    """Values of all masks. Reads each image, too, to find what is broken."""
    values = MaskValues(ignore)
    for pair in pairs:
        values.add(pair.check(None), pair.label.path)
    return values


def _label_format(
    masks: MaskValues, kind: LabelKind | None, ignore: int | None, mask: Path
) -> tuple[LabelFormat, tuple[str, ...]]:
    values = sorted(masks.found)
    listed = ", ".join(map(str, values[:_LISTED])) + (", ..." if len(values) > _LISTED else "")
    if len(values) < 2:
        raise UserError(
            f"{mask.parent}: the masks hold the value {listed or 'none'} alone; nothing can be learnt from them"
        )
    if kind == "instances":
        if masks.unnumbered is not None:
            raise UserError(
                f"{masks.unnumbered}: has separate regions of one value, which --instances takes for one object; leave "
                "--instances out, or number the objects"
            )
        if masks.scattered > masks.objects / 2:
            warnings.warn(
                f"{masks.scattered} of {masks.objects} mask values mark several separate regions, and --instances "
                "takes each for one object: if they are classes, start again with --classes",
                stacklevel=2,
            )
        return LabelFormat("instances", ignore=ignore), ("background", "cell")
    if len(values) > 2 and kind is None and masks.one_each and 0 in values:
        raise UserError(
            f"{mask.parent}: each mask holds 0 and one other value, but not all the same ({listed}); give all masks "
            "the same one, or say --classes if each is a class"
        )
    if len(values) > 2 and kind is None:
        raise UserError(
            f"{mask.parent}: the masks hold {len(values)} values ({listed}); say --instances if each is an object, "
            "--classes if each is a class, or --ignore VALUE if one is not to count"
        )
    names = ("background", "foreground") if len(values) == 2 else tuple(f"class {value}" for value in values)
    return LabelFormat("classes", tuple(values), ignore), names


def _inverted(label_format: LabelFormat) -> LabelFormat:
    if label_format.kind != "classes" or len(label_format.values) != 2:
        raise UserError("--invert: needs masks of two classes; leave it out")
    return LabelFormat("classes", label_format.values[::-1], label_format.ignore)
