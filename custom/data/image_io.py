"""Images and masks from files and to files, and the one rule from any image to gray values in [0, 1]."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from ..errors import UserError
from ..files import replace_file
from . import decode

_LUMA = (299.0, 587.0, 114.0)  # ITU-R BT.601, in thousandths: integers keep gray pixels exact
_PERCENTILES = (0.1, 99.9)


def read_image(path: str | os.PathLike[str], page: int | None = None) -> NDArray:
    """Pixels of an image as stored: (H, W) or (H, W, C), of the file's dtype; a palette becomes colours.

    Args:
        path: PNG, TIFF, JPEG or BMP file.
        page: page of a multi-page TIFF, from 0. None only for files of one page.

    Raises:
        UserError: as `decode.decode`, or NaN or Inf among the pixels.
    """
    path = Path(path)
    image = decode.decode(path, page, indices=False)
    if image.dtype.kind not in "buif" or image.ndim not in (2, 3) or image.size == 0:
        raise UserError(f"{path}: has shape {image.shape} and type {image.dtype}; give a 2D gray or colour image")
    if image.dtype.kind == "f" and not np.isfinite(image).all():
        count = int((~np.isfinite(image)).sum())
        raise UserError(f"{path}: {count} pixels are NaN or Inf; give finite gray values")
    return image


def read_mask(path: str | os.PathLike[str], page: int | None = None) -> NDArray:
    """Values of a mask: (H, W), integer; a palette image gives its indices, a boolean one 0 and 1.

    Besides the formats of `read_image`, a NIfTI label of shape (W, H) or (W, H, 1), as 3D Slicer writes it, is turned
    to (H, W).

    Raises:
        UserError: as `decode.decode`, or the mask has colours or fractions.
    """
    path = Path(path)
    mask = decode.decode(path, page, indices=True)
    if mask.ndim == 3:
        # Some programs save a gray mask as RGB, with or without alpha.
        values = mask[..., : 1 if mask.shape[2] <= 2 else 3]
        if (values != values[..., :1]).any():
            raise UserError(f"{path}: the mask has colours; give one value per class or object, in one channel")
        mask = values[..., 0]
    if mask.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            whole = mask.astype(np.int64)
        if not (mask == whole).all():
            raise UserError(
                f"{path}: the mask has values that are not whole numbers; give one integer per class or object"
            )
        mask = whole
    return mask.astype(np.uint8) if mask.dtype == bool else mask


def count_pages(path: str | os.PathLike[str]) -> int:
    """Number of pages of an image file: 1 unless it is a multi-page TIFF. Raises UserError as `read_image`."""
    return decode.count_pages(Path(path))


def to_gray(image: NDArray) -> NDArray[np.float32]:
    """Gray values in [0, 1], float32 (H, W), by the one rule of training, evaluation and inference.

    1. Alpha is dropped. Colours become luma, 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601).
    2. The 0.1 and 99.9 percentiles of the image (pixel values, nearest rank) become 0 and 1, linearly, and what lies
       beyond them is clipped. Where the percentiles coincide, minimum and maximum take their place; a constant image
       becomes 0.

    So bit depth, gain and offset of the camera do not matter (12 bits in a 16-bit file, or float), and single hot or
    dead pixels do not squeeze the contrast.

    Args:
        image: (H, W) or (H, W, C) with C = 1, 2 (gray, alpha), 3 (RGB) or 4 (RGBA); any real dtype.

    Raises:
        UserError: another shape.
    """
    gray = _luma(image)
    gray = gray.astype(np.result_type(gray.dtype, np.float32))  # float64 for what float32 cannot hold exactly
    low, high = np.percentile(gray, _PERCENTILES, method="nearest")
    if low == high:
        low, high = gray.min(), gray.max()
    if low == high:
        return np.zeros(gray.shape, np.float32)
    return ((gray.clip(low, high) - low) / (high - low)).astype(np.float32)


def _luma(image: NDArray) -> NDArray:
    if image.ndim == 2:
        return image
    channels = image.shape[2] if image.ndim == 3 else 0
    if channels in (1, 2):
        return image[..., 0]
    if channels in (3, 4):
        return image[..., :3].astype(np.float64) @ np.array(_LUMA)  # the factor 1000 goes with the normalisation
    raise UserError(f"image: has shape {image.shape}; (H, W) or (H, W, C) with 1 to 4 channels is needed")


def write_image(path: str | os.PathLike[str], array: NDArray) -> None:
    """Write (H, W) or (H, W, C) pixels as PNG or TIFF, by suffix; complete under its final name, or not there at all.

    PNG takes bool, uint8 and 2D uint16; TIFF (deflate) takes any real dtype.

    Raises:
        UserError: another suffix, a dtype that PNG does not have, a folder that cannot be written, a full disk.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (".png", *decode.TIFF_SUFFIXES):
        raise UserError(f"{path}: cannot write {suffix or 'a file without suffix'}; use .png, .tif or .tiff")
    if suffix == ".png" and not (array.dtype in (bool, np.uint8) or (array.dtype == np.uint16 and array.ndim == 2)):
        raise UserError(f"{path}: PNG does not hold {array.dtype} of shape {array.shape}; use .tif")
    with replace_file(path) as temporary:
        if suffix == ".png":
            Image.fromarray(np.ascontiguousarray(array)).save(temporary)
        else:
            photometric = "rgb" if array.ndim == 3 else "minisblack"
            tifffile.imwrite(temporary, array, compression="zlib", photometric=photometric, metadata=None)
