"""Images too large for arrays of floating-point pixels: segmented block by block, as volumes are."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import psutil
import tifffile
import torch
import zarr
from monai.transforms import Compose
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from ..data.decode import TIFF_SUFFIXES
from ..data.gray import GrayRule, luma
from ..data.image_io import read_image
from ..errors import UserError
from ..files import replace_file
from ..inferers import OverlapTileInferer
from ..inferers.footprint import bytes_per_pixel, default_memory_budget
from ..inferers.geometry import Network, geometry_of
from ..inferers.overlap_tile import device_of
from ..transforms.postprocessing import ProbabilityToInstances, ProbabilityToInstancesd
from .components import components_in_blocks, windows
from .gray import GrayWindows, gray_limits

LARGE = 2**24  # pixels from which an image is segmented in blocks
BLOCK = 2048
TILE = 512  # of the files
WATERSHED_BYTES = 150  # for a pixel, as measured
BAND = 2**22  # pixels whose brightness is in memory at a time
KEYS = {"mask", "probability", "instance"}


def is_large(item: dict[str, Any], keys: Iterable[str]) -> bool:
    """Whether an item, an image file and what to save of it, is for `LargeImages`: a large file of a single page."""
    path = Path(item["image"])
    if not set(keys) <= KEYS or not set(item) <= {"image", "page", "channel"}:
        return False
    if path.name.lower().endswith(TIFF_SUFFIXES):
        with tifffile.TiffFile(path) as file:
            page = file.pages.first
            return len(file.pages) == 1 and page.imagewidth * page.imagelength > LARGE
    with Image.open(path) as image:
        return image.width * image.height > LARGE


class LargeImages:
    """The large ones of the images to segment, with the components of the usual run.

    In memory are the image as its file has it, the mask, and blocks; probability and instances lie in a temporary
    folder beside the results until their file is written. The results are those of the usual run.

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
        gray_rule: GrayRule,
        postprocessing: Compose,
        saver: Any,
    ) -> None:
        gray = isinstance(gray_rule, GrayRule)  # not a rule for each of several channels
        self.items = [item for item in items if gray and is_large(item, saver.keys)]
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
            UserError: a folder cannot be written; or a watershed needs more memory than is free.
        """
        if self.items:
            self.saver.check(None)
        for item in tqdm(self.items, disable=None, desc="large images"):
            self._segment(**item)

    def _segment(self, image: str, page: int = 0, channel: int | None = None) -> None:
        path, folders = Path(image), self.saver.folders
        pixels = read_image(path, page, channel)
        shape = pixels.shape[:2]
        self._require_memory(path, shape)
        keys, folder = set(self.saver.keys), self.saver.output_dir
        with ExitStack() as stack:
            scratch = Path(stack.enter_context(TemporaryDirectory(prefix=".large-", dir=folder)))
            mask = np.empty((1, *shape), np.uint8) if "mask" in keys else None
            probability = _array(scratch / "probability", shape, "float32") if keys - {"mask"} else None
            for (rows, columns), output in self._blocks(pixels, str(path)):
                if mask is not None:
                    mask[0, rows, columns] = np.asarray(output["pred"][0])
                if probability is not None:
                    probability[rows, columns] = np.asarray(output["probability"][0])
            del pixels
            if mask is not None:
                only_mask = copy.copy(self.saver)
                only_mask.keys = ("mask",)
                only_mask.save({"filename_or_obj": str(path), "page": page, "pages": 1}, {"pred": mask})
                del mask  # its room is for the instances
            if probability is not None and "probability" in keys:
                _write_tiff(folder / folders["probability"] / f"{path.stem}.tif", probability, np.float32)
            if probability is not None and "instance" in keys:
                found, count = self._instances(probability, scratch)
                dtype = np.uint16 if count <= np.iinfo(np.uint16).max else np.int32
                _write_tiff(folder / folders["instance"] / f"{path.stem}.tif", found, dtype)

    def _blocks(self, pixels: NDArray, name: str) -> Iterator[tuple[tuple[slice, slice], dict[str, Any]]]:
        """Each block with what the transforms make of its logits."""
        source, inferer = _gray_windows(pixels, self.gray_rule, name), copy.copy(self.inferer)
        inferer.memory_budget = inferer.memory_budget or memory_budget(self.network, inferer)
        for roi in windows(pixels.shape[:2], BLOCK):
            logits = inferer.predict_roi(source, self.network, roi)
            yield roi, self.pixel_by_pixel({"pred": logits[0]})

    def _instances(self, probability: Any, scratch: Path) -> tuple[Any, int]:
        rule, shape = self.to_instances, probability.shape
        assert isinstance(rule, ProbabilityToInstances)
        if rule.method == "watershed":
            whole = np.asarray(rule(probability[:][None])[0])
            return whole, int(whole.max())
        labels, out = (_array(scratch / name, shape, "uint32") for name in ("labels", "instances"))
        return out, components_in_blocks(probability, labels, out, shape, BLOCK, rule)

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


def memory_budget(network: Network, inferer: OverlapTileInferer) -> int:
    """Bytes for a forward pass: those of a tile of about a thousand pixels, where a wide network does not need more."""
    geometry, device = geometry_of(network, inferer.margin, inferer.halo, inferer.divisor), device_of(network, None)
    enough = bytes_per_pixel(network, geometry, 1, torch.float32) * geometry.input_size(1024) ** 2
    return min(int(enough), default_memory_budget(device))


def _gray_windows(pixels: NDArray, rule: GrayRule, name: str) -> GrayWindows:
    size = (pixels.shape[0], pixels.shape[1])

    def read(rows: slice, columns: slice) -> NDArray:
        return luma(pixels[rows, columns], name)

    def bands() -> Iterator[NDArray]:
        rows = max(1, BAND // size[1])
        for top in range(0, size[0], rows):
            yield read(slice(top, top + rows), slice(0, size[1]))

    dtypes = (read(slice(0, 1), slice(0, 1)).dtype, pixels.dtype)
    return GrayWindows(read, size, *gray_limits(bands, size, dtypes, rule, name))


def _array(path: Path, shape: Sequence[int], dtype: str) -> Any:
    chunk = tuple(min(TILE, size) for size in shape)
    return zarr.create_array(path, shape=tuple(shape), chunks=chunk, dtype=dtype)


def _write_tiff(path: Path, array: Any, dtype: Any) -> None:
    """Write a plane as a tiled TIFF, tile by tile."""
    tiles = (np.asarray(array[window]).astype(dtype) for window in windows(array.shape, TILE))
    with replace_file(path) as temporary:
        tifffile.imwrite(
            temporary,
            tiles,
            shape=tuple(array.shape),
            dtype=dtype,
            tile=(TILE, TILE),
            compression="zlib",
            photometric="minisblack",
            metadata=None,
        )
