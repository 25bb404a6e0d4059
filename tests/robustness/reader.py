"""What a file shows, read plainly by Pillow, tifffile and imagecodecs, and what a network makes of it."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import tifffile
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps

from custom.model import read_model

from ..inferers.oracle import one_pass

LUMA = (0.299, 0.587, 0.114)
PHOTOMETRIC = ("MINISBLACK", "MINISWHITE", "RGB", "YCBCR")  # a palette's colours have 16 bits
TURN = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}  # of Image.Transpose


def shown(path: Path) -> list[NDArray]:
    """Pages (H, W) or (H, W, C) as viewers show them."""
    head = path.read_bytes()[:4]
    if head in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return _pages(path)
    if head == b"\x89PNG":
        with Image.open(path) as image:
            orientation = image.getexif().get(274, 1)
        return [_turned(imagecodecs.png_decode(path.read_bytes()), orientation)]
    with Image.open(path) as image:
        upright = ImageOps.exif_transpose(image)
        return [np.asarray(upright if upright.mode == "L" else upright.convert("RGB"))]


def _pages(path: Path) -> list[NDArray]:
    pages = []
    with tifffile.TiffFile(path) as file:
        for number, page in enumerate(file.pages):
            plain = page.dtype in (bool, np.uint8) and page.photometric.name in PHOTOMETRIC
            plain = plain and page.tags.valueof(274, 1) == 1  # whether Pillow turns a TIFF depends on how it is loaded
            if plain and (array := _by_pillow(path, number)) is not None:
                pages.append(array)
                continue
            array = page.asarray()
            if page.axes == "SYX":
                array = np.moveaxis(array, 0, 2)
            if page.photometric.name == "PALETTE":
                array = page.colormap.T[array]
            if page.photometric.name == "MINISWHITE" and array.dtype.kind in "bui":
                top = 1 if array.dtype == bool else np.iinfo(array.dtype).max
                array = top - array.astype(np.int64)
            pages.append(_turned(array, int(page.tags.valueof(274, 1))))
    return pages


def _by_pillow(path: Path, number: int) -> NDArray | None:
    """A page; None if Pillow does not know its kind."""
    try:
        with Image.open(path) as image:
            image.seek(number)
            return np.asarray(image)
    except (OSError, SyntaxError, EOFError):
        return None


def _turned(array: NDArray, orientation: int) -> NDArray:
    """By Pillow, through an image of indices."""
    if orientation not in TURN:
        return array
    indices = Image.fromarray(np.arange(array.shape[0] * array.shape[1], dtype=np.int32).reshape(array.shape[:2]))
    order = np.asarray(indices.transpose(Image.Transpose(TURN[orientation])))
    return array.reshape(-1, *array.shape[2:])[order]


def gray(image: NDArray) -> NDArray[np.float32]:
    """The gray rule of `custom.data.GrayRule`, as its docstring has it, in extended precision."""
    values = image.astype(np.longdouble)
    if values.ndim == 3:
        values = values[..., :3] @ np.array(LUMA, np.longdouble) if values.shape[2] > 2 else values[..., 0]
    ordered = np.sort(values.ravel())
    low, high = np.percentile(ordered.astype(np.float64), (0.1, 99.9), method="nearest")
    if low == high:
        low, high = ordered[0], ordered[-1]
    if low == high:
        return np.zeros(values.shape, np.float32)
    return ((values.clip(low, high) - low) / (np.longdouble(high) - low)).astype(np.float32)


def probabilities(model: Path, image: Path) -> list[NDArray[np.float32]]:
    """Foreground of each page (H, W), from one pass over the whole mirrored image."""
    network = read_model(model).network()
    logits = [one_pass(network, torch.from_numpy(gray(page))[None, None]) for page in shown(image)]
    return [1 - torch.softmax(one, dim=1)[0, 0].numpy() for one in logits]
