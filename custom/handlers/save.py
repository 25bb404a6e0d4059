"""Segmentations as files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from ignite.engine import Engine, Events
from monai.engines.utils import IterationEvents
from numpy.typing import NDArray

from ..data.image_io import count_pages, write_image
from ..errors import UserError
from ..files import replace_file, require_writable

MASK_SUFFIXES = (".png", ".tif", ".tiff")


class SegmentationSaver:
    """Handler of an evaluator: writes its predictions, under the input's name and with its exact height and width.

    - ``OUTPUT/masks/NAME.png`` (or TIFF): 8 bits, class index times ``mask_scale``;
    - ``OUTPUT/probabilities/NAME.tif``: float32 probability of the foreground;
    - ``OUTPUT/disagreements/NAME.tif``: float32 standard deviation of the probability between members of an ensemble;
    - ``OUTPUT/instances/NAME.tif``: 16 bits, 0 background, one number for each object (32 bits past 65,535 objects).

    Predictions of a multi-page image are the pages of one TIFF, whatever ``mask_suffix``. Files are written atomically.

    Args:
        output_dir: folder; created if it is missing.
        mask_suffix: ``".png"``, ``".tif"`` or ``".tiff"``.
        keys: which to write: ``"mask"`` (output ``pred``, class indices), ``"probability"``, ``"disagreement"`` or
            ``"instance"``.
        mask_scale: 255 shows two classes as black and white; 1 for more classes.

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
        mask_scale: int = 255,
    ) -> None:
        if mask_suffix not in MASK_SUFFIXES:
            raise UserError(f"mask format {mask_suffix!r}: choose one of {', '.join(MASK_SUFFIXES)}")
        unknown = set(keys) - set(self.folders)
        if unknown or not keys:
            raise UserError(f"cannot save {sorted(unknown) or 'nothing'}: choose from {', '.join(self.folders)}")
        self.output_dir = Path(output_dir)
        self.mask_suffix = mask_suffix
        self.mask_scale = mask_scale
        self.keys = keys
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
        page, pages = int(meta["page"]), count_pages(source)
        for key in self.keys:
            self._pages.setdefault(key, []).append(self._pixels(key, output))
            if page == pages - 1:
                self._write(key, source.stem)

    def _write(self, key: str, name: str) -> None:
        pages, folder = self._pages.pop(key), self.output_dir / self.folders[key]
        if len(pages) == 1:
            write_image(folder / f"{name}{self.mask_suffix if key == 'mask' else '.tif'}", pages[0])
            return
        with replace_file(folder / f"{name}.tif") as temporary:
            tifffile.imwrite(temporary, np.stack(pages), compression="zlib", photometric="minisblack")

    def _pixels(self, key: str, output: dict[str, Any]) -> NDArray:
        if key == "mask":
            return np.asarray(output["pred"][0]).astype(np.uint8) * np.uint8(self.mask_scale)
        pixels = np.asarray(output[key][0])
        if key in ("probability", "disagreement"):
            return pixels.astype(np.float32)
        return pixels.astype(np.uint16 if pixels.max() <= np.iinfo(np.uint16).max else np.int32)
