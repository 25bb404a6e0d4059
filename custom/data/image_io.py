"""Images and masks from files and to files."""

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
