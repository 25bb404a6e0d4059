"""Writes a data set folder: images, masks, `dataset.json`; complete and checked, or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from custom.data.datalist import SPLITS, read_dataset, write_dataset
from custom.data.image_io import write_channels, write_image
from custom.data.labels import LabelFormat
from custom.errors import UserError
from custom.files import new_folder


class DatasetWriter:
    """Collects the items of the three lists while it writes their files into `folder`.

    Args:
        folder: for the files.
        channel_names: of images (H, W, C) whose channels are kept; None: what (H, W, C) holds are colours.
    """

    def __init__(self, folder: Path, channel_names: Sequence[str] | None = None) -> None:
        self.folder = folder
        self.channel_names = channel_names or ()
        self.items: dict[str, list[dict[str, str]]] = {split: [] for split in SPLITS}

    def add(self, split: str, part: str, name: str, image: NDArray, mask: NDArray | None = None) -> None:
        """Write `part/image/name` and `part/label/name`, as PNG where PNG holds the pixels, else as TIFF.

        Args:
            split: the list that the item belongs to.
            part: folder for it.
            name: file name without suffix.
            image: (H, W) or (H, W, C).
            mask: (H, W), integer.
        """
        item = {"image": self._write(f"{part}/image/{name}", image, self.channel_names)}
        if mask is not None:
            item["label"] = self._write(f"{part}/label/{name}", _smallest(mask))
        self.items[split].append(item)

    def picture(self, name: str, array: NDArray) -> None:
        """Write a picture beside `dataset.json` that belongs to no list."""
        write_image(self.folder / name, array)

    def _write(self, stem: str, array: NDArray, channels: Sequence[str] = ()) -> str:
        named = len(channels) > 1
        png = not named and (array.dtype in (bool, np.uint8) or (array.dtype == np.uint16 and array.ndim == 2))
        name = stem + (".png" if png else ".tif")
        if (self.folder / name).exists():
            raise UserError(f"{name}: two images would be written under this name; rename one of them")
        if named:
            write_channels(self.folder / name, np.moveaxis(array, -1, 0), channels)
        else:
            write_image(self.folder / name, array)
        return name


@contextmanager
def new_dataset(
    output: Path,
    about: dict[str, str],
    label_format: LabelFormat,
    class_names: tuple[str, ...],
    channel_names: Sequence[str] | None = None,
    pixel_size: float | None = None,
) -> Iterator[DatasetWriter]:
    """A writer for a new data set folder, which appears at `output` when the block ends well.

    Raises:
        UserError: `output` exists and is not empty or cannot be written; or the written data set is not valid.
    """
    keys = ("0", ">0") if label_format.kind == "instances" else tuple(map(str, label_format.values))
    with new_folder(output) as folder:
        writer = DatasetWriter(folder, channel_names)
        yield writer
        labels = dict(zip(keys, class_names, strict=True))
        channels = {str(number): name for number, name in enumerate(channel_names)} if channel_names else None
        write_dataset(folder, about, label_format.kind, labels, writer.items, label_format.ignore, channels, pixel_size)
        read_dataset(folder)


def _smallest(mask: NDArray) -> NDArray:
    """The mask in the smallest type of its values that PNG and TIFF hold."""
    low, high = int(mask.min()), int(mask.max())
    for dtype in (np.uint8, np.uint16, np.int32):
        if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
            return mask.astype(dtype)
    return mask
