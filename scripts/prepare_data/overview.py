"""What a prepared data set holds, in words and as a picture to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage
from skimage.segmentation import find_boundaries

from custom.constants import IGNORED, IGNORED_INSTANCE
from custom.data.channels import as_picture
from custom.data.decode import EXPORT, MICROSCOPE_SUFFIXES
from custom.data.gray import GrayRule, GrayRules
from custom.data.labels import LabelFormat, instance_classes, parse_class_mask, parse_instance_mask

from ..lettering import drawable, font

CONTACT_SHEET = "contact_sheet.png"
_SHOWN, _COLUMNS = 12, 4  # images on a sheet, in a row
_SIDE, _TITLE, _LETTERS = 320, 16, 10  # pixels of a side, of a line of text, of its letters
_OUTLINE, _IGNORED = (255, 200, 0), (70, 120, 255)


@dataclass
class Overview:
    """Facts that are gathered while a data set is written.

    Args:
        label_format: meaning of mask values.
        shown: numbers of the images on the contact sheet.
        rule: from pixels to gray values.
    """

    label_format: LabelFormat
    shown: frozenset[int]
    rule: GrayRule | GrayRules = GrayRule()  # noqa: RUF009 (frozen)
    shares: list[float] = field(default_factory=list)
    objects: list[int] = field(default_factory=list)
    tiles: list[Image.Image] = field(default_factory=list)
    blank: list[str] = field(default_factory=list)
    colours: int = 0

    def add(self, name: str, image: NDArray, mask: NDArray, path: Path) -> None:
        """Count an image (H, W) or (H, W, C) with its mask (H, W), and draw it if it is to be shown."""
        if self.label_format.kind == "instances":
            regions = parse_instance_mask(mask, self.label_format, path)
            classes = instance_classes(regions)
            count = len(set(np.unique(regions).tolist()) - {0, IGNORED_INSTANCE})
        else:
            classes = parse_class_mask(mask, self.label_format, path)
            regions = np.where(classes == IGNORED, -1, classes.astype(np.int32))
            count = ndimage.label((classes != 0) & (classes != IGNORED))[1]
        if len(self.shares) in self.shown:
            self.tiles.append(_tile(name, as_picture(self.rule.planes(image)), regions))
        if count and (image == image.flat[0]).all():
            self.blank.append(name)
        self.colours += image.ndim == 3 and image.shape[-1] >= 3 and bool(np.ptp(image[..., :3], axis=-1).any())
        counted = classes != IGNORED
        self.shares.append(float((classes[counted] != 0).mean()) if counted.any() else 0.0)
        self.objects.append(count)

    def lines(self) -> list[str]:
        """Sentences for the console."""
        low, mean, high = min(self.shares), float(np.mean(self.shares)), max(self.shares)
        few, median, many = min(self.objects), float(np.median(self.objects)), max(self.objects)
        what = "objects" if self.label_format.kind == "instances" else "connected regions of foreground"
        lines = [
            f"foreground: {mean:.1%} of the pixels ({low:.1%} to {high:.1%} of an image)",
            f"{what}: {median:g} in a typical image ({few} to {many})",
        ]
        if self.label_format.kind == "classes" and len(self.label_format.values) == 2 and mean > 0.5:
            lines.append("most pixels are foreground: if the masks mean the opposite, start again with --invert")
        if self.blank:
            more = ", ..." if len(self.blank) > 1 else ""
            lines.append(f"labels, but no image: {len(self.blank)} have a single gray value: {self.blank[0]}{more}")
        if self.colours and isinstance(self.rule, GrayRule):
            lines.append(
                f"{self.colours} of {len(self.shares)} images are in colour, and the network will see their gray "
                "values; for colours, start again with --channels red green blue"
            )
        return lines

    def contact_sheet(self) -> NDArray[np.uint8]:
        """Images with the outlines of their labels, (H, W, 3)."""
        rows = [self.tiles[start : start + _COLUMNS] for start in range(0, len(self.tiles), _COLUMNS)]
        heights = [max(tile.height for tile in row) for row in rows]
        sheet = Image.new("RGB", (_COLUMNS * _SIDE, sum(heights)))
        for number, row in enumerate(rows):
            for column, tile in enumerate(row):
                sheet.paste(tile, (column * _SIDE, sum(heights[:number])))
        return np.asarray(sheet)


def chosen(count: int) -> frozenset[int]:
    """Numbers of images to show, evenly over all."""
    return frozenset(np.linspace(0, count - 1, min(count, _SHOWN)).round().astype(int).tolist())


def _tile(name: str, picture: NDArray[np.float32], regions: NDArray[np.int32]) -> Image.Image:
    """A small picture with outlines of regions and, in blue, what is ignored; its name above."""
    scale = (_SIDE - 4) / max(regions.shape)
    size = tuple(max(1, round(side * scale)) for side in regions.shape[::-1])
    coloured = np.array(Image.fromarray(np.round(picture * 255).astype(np.uint8)).resize(size).convert("RGB"))
    small = np.asarray(Image.fromarray(regions).resize(size, Image.Resampling.NEAREST))
    coloured[small < 0] = coloured[small < 0] // 2 + np.array(_IGNORED, np.uint8) // 2
    coloured[find_boundaries(small, mode="inner")] = _OUTLINE
    tile = Image.new("RGB", (_SIDE, size[1] + _TITLE + 4))
    tile.paste(Image.fromarray(coloured), (0, _TITLE))
    ImageDraw.Draw(tile).text((2, 2), _title(name), fill=(255, 255, 255), font=font(_LETTERS))
    return tile


def _title(name: str) -> str:
    """The end of a name, as much as fits over a picture."""
    text = drawable(name)
    while font(_LETTERS).getlength(text) > _SIDE - 4:
        text = text[1:]
    return text


def skipped_line(files: Sequence[Path]) -> str | None:
    """What was not read, and how to make it readable; None if that is nothing."""
    if not files:
        return None
    names = ", ".join(file.name for file in files[:5]) + (f" and {len(files) - 5} more" if len(files) > 5 else "")
    microscope = any(file.name.lower().endswith(MICROSCOPE_SUFFIXES) for file in files)
    return f"skipped: {names}{f'; {EXPORT}' if microscope else ''}"
