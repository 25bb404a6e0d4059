"""Images too large for arrays of floating-point pixels: segmented block by block, as volumes are."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
import tifffile
import torch
from monai.transforms import Compose
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from ..data.decode import TIFF_SUFFIXES
from ..data.gray import GrayRule, GrayRules, luma
from ..data.image_io import read_item
from ..errors import UserError
from ..inferers import OverlapTileInferer, bfloat16_is_fast
from ..inferers.footprint import bytes_per_pixel, default_memory_budget
from ..inferers.geometry import Network, geometry_of
from ..inferers.overlap_tile import device_of
from ..transforms.postprocessing import ProbabilityToInstancesd
from .components import windows
from .gray import ChannelWindows, GrayWindows, gray_limits
from .results import Results

LARGE = 2**24  # pixels from which an image is segmented in blocks
BLOCK = 2048
WATERSHED_BYTES = 150  # for a pixel, as measured
MOST_BYTES = 5 * 2**27  # of a forward pass: with 400 million pixels of 8 bits a process stays below 2 GB
BAND = 2**22  # pixels whose brightness is in memory at a time
KEYS = {"mask", "probability", "instance"}


def is_large(item: dict[str, Any], keys: Iterable[str]) -> bool:
    """Whether an item, a page of an image file and what to save of it, is for `LargeImages`."""
    path = Path(item["image"])
    if not set(keys) <= KEYS:
        return False
    try:
        if path.name.lower().endswith(TIFF_SUFFIXES):
            with tifffile.TiffFile(path) as file:
                page = file.pages.first
                return page.imagewidth * page.imagelength > LARGE
        with Image.open(path) as image:
            return image.width * image.height > LARGE
    except Exception:  # changed since it was checked: reading it will say so
        return False


class LargeImages:
    """The large ones of the images to segment, with the components of the usual run.

    In memory are a page as its file has it, and blocks; results lie in a temporary folder beside their files until
    these are written. They are those of the usual run.

    Args:
        items: all items; those that are not large are left to the usual run (`others`).
        network: the network.
        inferer: the inferer.
        gray_rule: from pixels to gray values.
        postprocessing: the transforms from logits to what is saved.
        saver: a `SegmentationSaver`.
    """

    def __init__(
        self,
        items: Sequence[dict[str, Any]],
        network: Network,
        inferer: OverlapTileInferer,
        gray_rule: GrayRule | GrayRules,
        postprocessing: Compose,
        saver: Any,
    ) -> None:
        self.items = [item for item in items if is_large(item, saver.keys)]
        self.network = network
        self.inferer = inferer
        self.gray_rule = gray_rule
        cells = [step for step in postprocessing.transforms if isinstance(step, ProbabilityToInstancesd)]
        self.to_instances = cells[0].convert if cells else None
        self.pixel_by_pixel = Compose([step for step in postprocessing.transforms if step not in cells])
        self.saver = saver

    def run(self) -> None:
        """Segment the large images and write what is asked for.

        Raises:
            UserError: a folder cannot be written; the method is "contact"; or a watershed needs more memory than is
                free.
        """
        if self.items and self.to_instances is not None and self.to_instances.method == "contact":
            raise UserError(
                f"{self.items[0]['image']}: an image of more than {LARGE:,} pixels cannot be divided by contact; "
                "choose --method watershed"
            )
        if self.items:
            self.saver.check(None)
        files = [list(pages) for _, pages in groupby(self.items, key=itemgetter("image"))]
        for pages in tqdm(files, disable=None, desc="large images"):
            self._segment(pages)

    def _segment(self, pages: list[dict[str, Any]]) -> None:
        """Segment all pages of a file."""
        path, results = Path(pages[0]["image"]), None
        self.saver.output_dir.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".large-", dir=self.saver.output_dir) as scratch:
            for number, item in enumerate(pages):
                pixels = read_item(item)
                if results is None:
                    shape = (len(pages), *pixels.shape[:2])
                    self._require_memory(path, shape[1:])
                    results = Results(Path(scratch), self.saver, path.stem, shape, BLOCK)
                for window, output in self._blocks(pixels, str(path)):
                    results.put(number, window, output)
                del pixels  # before the next page is read, or files are written
            assert results is not None
            results.write(self.to_instances)

    def _blocks(self, pixels: NDArray, name: str) -> Iterator[tuple[tuple[slice, slice], dict[str, Any]]]:
        """Each block with what the transforms make of its logits."""
        source, inferer = gray_windows(pixels, self.gray_rule, name), copy.copy(self.inferer)
        inferer.memory_budget = inferer.memory_budget or memory_budget(self.network, inferer, source.shape[1])
        for roi in windows(pixels.shape[:2], BLOCK):
            logits = inferer.predict_roi(source, self.network, roi)
            yield roi, self.pixel_by_pixel({"pred": logits[0]})

    def _require_memory(self, path: Path, shape: Sequence[int]) -> None:
        needed, free = WATERSHED_BYTES * shape[0] * shape[1], psutil.virtual_memory().available
        if self.to_instances is not None and self.to_instances.method == "watershed" and needed > free:
            raise UserError(
                f"{path}: a watershed of {shape[0]} x {shape[1]} pixels needs {needed / 2**30:.1f} GiB of memory, "
                f"{free / 2**30:.1f} are free; cut the image, or choose --method components"
            )


def others(items: Sequence[dict[str, Any]], large: LargeImages) -> list[dict[str, Any]]:
    """The items that are not large."""
    return [item for item in items if item not in large.items]


def memory_budget(network: Network, inferer: OverlapTileInferer, channels: int = 1) -> int:
    """Bytes for a forward pass: those of a tile of about a thousand pixels, but not more than `MOST_BYTES`."""
    geometry, device = geometry_of(network, inferer.margin, inferer.halo, inferer.divisor), device_of(network, None)
    amp = bfloat16_is_fast(device) if inferer.amp is None else inferer.amp
    dtype = torch.bfloat16 if amp else torch.float32
    enough = bytes_per_pixel(network, geometry, channels, dtype) * geometry.input_size(1024) ** 2
    return min(int(enough), MOST_BYTES, default_memory_budget(device))


def gray_windows(pixels: NDArray, rule: GrayRule | GrayRules, name: str) -> GrayWindows | ChannelWindows:
    """An image (H, W) or (H, W, C) as the gray values that the rule gives for the whole of it, by windows."""
    if isinstance(rule, GrayRule):
        return _one_channel(pixels, rule, name)
    channels = enumerate(rule.rules)
    return ChannelWindows(tuple(_one_channel(pixels[..., k], one, f"{name}, channel {k}") for k, one in channels))


def _one_channel(pixels: NDArray, rule: GrayRule, name: str) -> GrayWindows:
    size = (pixels.shape[0], pixels.shape[1])

    def read(rows: slice, columns: slice) -> NDArray:
        return luma(pixels[rows, columns], name)

    def bands() -> Iterator[NDArray]:
        rows = max(1, BAND // size[1])
        for top in range(0, size[0], rows):
            yield read(slice(top, top + rows), slice(0, size[1]))

    dtypes = (read(slice(0, 1), slice(0, 1)).dtype, pixels.dtype)
    return GrayWindows(read, size, *gray_limits(bands, size, dtypes, rule, name))
