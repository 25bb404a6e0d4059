"""Segmentations as files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ignite.engine import Engine, Events
from monai.engines.utils import IterationEvents
from numpy.typing import NDArray

from ..data.channels import class_colours
from ..data.image_io import write_channels, write_image, write_tiff
from ..errors import UserError
from ..files import require_writable
from ..model import ClassInfo

MASK_SUFFIXES = (".png", ".tif", ".tiff")


class SegmentationSaver:
    """Handler of an evaluator: writes its predictions, under the input's name and with its exact height and width.

    - ``OUTPUT/masks/NAME.png`` (or TIFF): the values of the classes, 8 bits (16 bits for values above 255);
    - ``OUTPUT/probabilities/NAME.tif``: float32 probability of the foreground; of more than two classes an OME-TIFF
      with a channel for each;
    - ``OUTPUT/disagreements/NAME.tif``: float32 standard deviation of the probability between members of an ensemble;
    - ``OUTPUT/instances/NAME.tif``: 16 bits, 0 background, one number for each object (32 bits past 65,535 objects).

    Predictions of a multi-page image are the pages of one TIFF, whatever ``mask_suffix``. Files are written atomically.

    Args:
        output_dir: folder; created if it is missing.
        mask_suffix: ``".png"``, ``".tif"`` or ``".tiff"``.
        keys: which to write: ``"mask"`` (output ``pred``, class indices), ``"probability"``, ``"disagreement"`` or
            ``"instance"``.
        classes: the model's classes, each with ``name`` and ``value``; None: two classes with the values 0 and 255.
        palette: write PNG masks with a palette that shows each class in a colour; the values stay.

    Raises:
        UserError: an argument is invalid, or the folder is not writable.
    """

    folders = {  # noqa: RUF012
        "mask": "masks",
        "probability": "probabilities",
        "disagreement": "disagreements",
        "instance": "instances",
    }

    def __init__(
        self,
        output_dir: str | os.PathLike[str],
        mask_suffix: str = ".png",
        keys: Sequence[str] = ("mask",),
        classes: Sequence[ClassInfo] | None = None,
        palette: bool = False,
    ) -> None:
        if mask_suffix not in MASK_SUFFIXES:
            raise UserError(f"mask format {mask_suffix!r}: choose one of {', '.join(MASK_SUFFIXES)}")
        unknown = set(keys) - set(self.folders)
        if unknown or not keys:
            raise UserError(f"cannot save {sorted(unknown) or 'nothing'}: choose from {', '.join(self.folders)}")
        self.output_dir = Path(output_dir)
        self.mask_suffix = mask_suffix
        self.keys = keys
        self.classes = classes or (ClassInfo(name="background", value=0), ClassInfo(name="foreground", value=255))
        values = [part.value for part in self.classes]
        self.values = np.array(values, np.uint8 if max(values) < 256 else np.uint16)
        self.colours = dict(zip(values, class_colours(len(values)), strict=True)) if palette else None
        if palette and (mask_suffix != ".png" or max(values) > 255):
            raise UserError(f"palette: needs masks in .png and class values up to 255, not {mask_suffix}, {values}")
        self._pages: dict[str, list[NDArray]] = {}

    def attach(self, evaluator: Engine) -> None:
        """Check the folder when the run starts, write after every batch."""
        evaluator.add_event_handler(Events.STARTED, self.check)
        evaluator.add_event_handler(IterationEvents.MODEL_COMPLETED, self)

    def check(self, evaluator: Engine) -> None:
        """Raise `UserError` if the output folder is not writable."""
        for key in self.keys:
            require_writable(self.output_dir / self.folders[key])

    def __call__(self, evaluator: Engine) -> None:
        state: Any = evaluator.state  # decollated: one dictionary an image
        for batch, output in zip(state.batch, state.output, strict=True):
            self.save(batch["image"].meta, output)

    def save(self, meta: dict[str, Any], output: dict[str, Any]) -> None:
        """Write one image's predictions, or keep them until the last page of its file."""
        source = Path(meta["filename_or_obj"])
        page, pages = int(meta["page"]), int(meta["pages"])
        for key in self.keys:
            self._pages.setdefault(key, []).append(self._pixels(key, output))
            if page == pages - 1:
                self._write(key, source.stem)

    def _write(self, key: str, name: str) -> None:
        pages, folder = self._pages.pop(key), self.output_dir / self.folders[key]
        if key == "probability" and pages[0].ndim == 3:
            stack, axes = (pages[0], "CYX") if len(pages) == 1 else (np.stack(pages), "ZCYX")
            write_channels(folder / f"{name}.tif", stack, [part.name for part in self.classes], axes)
            return
        if len(pages) == 1:
            colours = self.colours if key == "mask" else None
            write_image(folder / f"{name}{self.mask_suffix if key == 'mask' else '.tif'}", pages[0], colours)
            return
        stack = np.stack(pages)
        write_tiff(folder / f"{name}.tif", stack, stack.nbytes, photometric="minisblack")

    def _pixels(self, key: str, output: dict[str, Any]) -> NDArray:
        if key == "mask":
            return self.values[np.asarray(output["pred"][0]).astype(np.uint8, copy=False)]
        if key == "probability":
            planes = np.asarray(output[key], np.float32)
            return planes[0] if len(planes) == 1 else planes
        pixels = np.asarray(output[key][0])
        if key == "disagreement":
            return pixels.astype(np.float32)
        return pixels.astype(np.uint16 if pixels.max() <= np.iinfo(np.uint16).max else np.int32)
