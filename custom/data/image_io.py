"""Reading and writing of images and masks."""

from __future__ import annotations

import hashlib
import os
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from ..errors import UserError
from ..files import replace_file
from . import decode
from .channels import Channel

READING = ("page", "channel", "axes")
"""Keys of an item that say which part of its file the image is."""
LARGEST_TIFF = 2**32 - 2**25
"""Bytes of pixels whose offsets surely fit into 32 bits; tifffile's own limit."""
STATE = "state"
"""Key of an item with the `state_of` its file when it was checked."""


def read_image(
    path: str | os.PathLike[str], page: int | None = None, channel: Channel = None, axes: str | None = None
) -> NDArray:
    """Pixels of an image as viewers display them: (H, W) or (H, W, C) with C = 2 (gray, alpha), 3 (RGB) or 4 (RGBA).

    Palettes are converted to colours, WhiteIsZero is inverted, and the EXIF rotation is applied. Values and dtype are
    otherwise those of the file.

    Args:
        path: PNG, TIFF, JPEG or BMP file.
        page: page of a multi-page TIFF, from 0. None only for files of one page.
        channel: channel to read, from 0; required for files whose channels are not colours. Several channels, colours
            or not, give (H, W, C) in their order.
        axes: the axes of a TIFF that does not name them, or wrongly, such as "CYX".

    Raises:
        UserError: as `decode.decode`, or NaN or Inf among the pixels.
    """
    path = Path(path)
    checked = _checked.take(_key(path, page, channel, False, axes))
    return _decode_image(path, page, channel, axes) if checked is None else checked


def read_item(item: Mapping[Any, Any]) -> NDArray:
    """Pixels of the image of an item: a dictionary with its path, `image`, and `READING` and `STATE` where needed."""
    pixels = read_image(item["image"], **{key: item[key] for key in READING if key in item})
    require_unchanged(item["image"], item.get(STATE))
    return pixels


def state_of(path: str | os.PathLike[str]) -> tuple[int, int] | None:
    """Time of the last change of a file, in nanoseconds, and its bytes; None if there is no such file."""
    try:
        state = Path(path).stat()
    except OSError:
        return None
    return state.st_mtime_ns, state.st_size


def require_unchanged(path: str | os.PathLike[str], state: tuple[int, int] | None) -> None:
    """Raise UserError if a file is not in the state that it was in earlier; None: that is not known."""
    if state is not None and state_of(path) != state:
        raise UserError(f"{path}: was changed or removed while it was read; start again when it is complete")


def check_image(
    path: str | os.PathLike[str], page: int | None = None, channel: Channel = None, axes: str | None = None
) -> NDArray:
    """Decode an image to check it, keep it for the next `read_image`, and return it.

    Raises:
        UserError: as `read_image`.
    """
    image = _decode_image(Path(path), page, channel, axes)
    _checked.keep(_key(Path(path), page, channel, False, axes), image)
    return image


def _decode_image(path: Path, page: int | None, channel: Channel, axes: str | None) -> NDArray:
    image = decode.decode(path, page, channel, mask=False, axes=axes)
    if image.dtype.kind not in "buif" or image.ndim not in (2, 3) or image.size == 0:
        raise UserError(f"{path}: has shape {image.shape} and type {image.dtype}; give a 2D gray or colour image")
    if image.dtype.kind == "f" and not np.isfinite(image).all():
        count = int((~np.isfinite(image)).sum())
        raise UserError(f"{path}: {count} pixels are NaN or Inf; give finite gray values")
    return image


def read_mask(path: str | os.PathLike[str], page: int | None = None) -> NDArray:
    """Values of a mask: (H, W), integer.

    - A palette of grays is replaced by its gray values, since the order of the two entries of a black and white palette
      differs between programs. Of a palette with colours the indices are returned (labels in the style of PASCAL VOC).
    - WhiteIsZero is ignored except for 1 bit: ImageJ stores 255 for an object and draws it black by an inverting LUT.
      It is ignored for 1 bit of tifffile, too, which stores True as 1 and reads it back so.
    - Booleans become 0 and 1. Equal red, green and blue are one value.
    - In an image with alpha whose visible pixels all have one colour, the mask is the alpha.
    - The EXIF rotation is applied, as to images.

    Besides the formats of `read_image` except JPEG, which is lossy, a NIfTI label of shape (W, H) or (W, H, 1), as 3D
    Slicer writes it, is turned to (H, W).

    Raises:
        UserError: as `decode.decode`; a JPEG; colours or fractions.
    """
    path = Path(path)
    checked = _checked.take(_key(path, page, None, True))
    return _decode_mask(path, page) if checked is None else checked


def check_mask(path: str | os.PathLike[str], page: int | None = None) -> NDArray:
    """Decode a mask, keep it for the next `read_mask`, and return it. Raises UserError as `read_mask`."""
    mask = _decode_mask(Path(path), page)
    _checked.keep(_key(Path(path), page, None, True), mask)
    return mask


def _decode_mask(path: Path, page: int | None) -> NDArray:
    mask = decode.decode(path, page, None, mask=True)
    if mask.ndim == 3:
        mask = _single_value(mask, path)
    if mask.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            whole = mask.astype(np.int64)
        if not (mask == whole).all():
            raise UserError(
                f"{path}: the mask has values that are not whole numbers; give one integer per class or object"
            )
        mask = whole
    return mask.astype(np.uint8) if mask.dtype == bool else mask


def _single_value(mask: NDArray, path: Path) -> NDArray:
    """Mask (H, W) of a mask (H, W, C) that was saved as gray or RGB, with or without alpha."""
    alpha = mask[..., -1] if mask.shape[2] in (2, 4) else None
    values = mask[..., : 1 if mask.shape[2] <= 2 else 3]
    if alpha is not None and (alpha != alpha.flat[0]).any():
        visible = values[alpha > 0]
        if (visible == visible[:1]).all() and not ((values == values[..., :1]).all() and np.ptp(values)):
            return alpha
    if (values != values[..., :1]).any():
        raise UserError(f"{path}: the mask has colours; give one value per class or object, in one channel")
    return values[..., 0]


def _key(path: Path, page: int | None, channel: Channel, mask: bool, axes: str | None = None) -> tuple[Any, ...]:
    return path.absolute(), state_of(path), page or 0, channel, mask, axes


class _Checked:
    """Cache of checked arrays up to a number of bytes; each is dropped when it is first read."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._arrays: dict[tuple[Any, ...], NDArray] = {}
        self._lock = threading.Lock()

    def keep(self, key: tuple[Any, ...], array: NDArray) -> None:
        with self._lock:
            if array.nbytes <= self._room and key not in self._arrays:
                self._arrays[key] = array
                self._room -= array.nbytes

    def take(self, key: tuple[Any, ...]) -> NDArray | None:
        with self._lock:
            array = self._arrays.pop(key, None)
            self._room += 0 if array is None else array.nbytes
            return array


_checked = _Checked(2**28)


def require_shape(mask: NDArray, path: Path, image_path: Path, shape: tuple[int, ...]) -> None:
    """Raise UserError unless a mask (H, W) has the height and width of its image, (H, W) or (H, W, C)."""
    if mask.shape != tuple(shape[:2]):
        raise UserError(
            f"{path}: the mask has {mask.shape[0]} x {mask.shape[1]} pixels (H x W), its image {image_path.name} has "
            f"{shape[0]} x {shape[1]}; give a mask of the image's size"
        )


def count_pages(path: str | os.PathLike[str], axes: str | None = None) -> int:
    """Number of pages of an image file: 1 unless it is a multi-page TIFF; channels do not count as pages.

    Raises:
        UserError: as `read_image`.
    """
    return decode.count_pages(Path(path), axes)


def count_channels(path: str | os.PathLike[str], axes: str | None = None) -> int:
    """Number of channels of the images of a file: colours count, alpha does not.

    Raises:
        UserError: as `read_image`.
    """
    return decode.count_channels(Path(path), axes)


def write_image(
    path: str | os.PathLike[str], array: NDArray, colours: Mapping[int, tuple[int, int, int]] | None = None
) -> None:
    """Write (H, W) or (H, W, C) pixels as PNG or TIFF, by suffix, atomically.

    PNG takes bool, uint8 and 2D uint16; TIFF (deflate) takes any real dtype. With `colours` a PNG of (H, W) uint8 gets
    a palette that shows these values in these colours (RGB, 8 bits).

    Raises:
        UserError: another suffix, a dtype that PNG does not support, a folder that is not writable, a full disk.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (".png", ".tif", ".tiff"):
        raise UserError(f"{path}: cannot write {suffix or 'a file without suffix'}; use .png, .tif or .tiff")
    if suffix == ".png" and not (array.dtype in (bool, np.uint8) or (array.dtype == np.uint16 and array.ndim == 2)):
        raise UserError(f"{path}: PNG does not hold {array.dtype} of shape {array.shape}; use .tif")
    if suffix != ".png":
        write_tiff(path, array, array.nbytes, photometric="rgb" if array.ndim == 3 else "minisblack", metadata=None)
        return
    with replace_file(path) as temporary:
        image = Image.fromarray(np.ascontiguousarray(array))
        if colours is not None:
            image.putpalette([part for value in range(256) for part in colours.get(value, (0, 0, 0))])
        image.save(temporary)


def write_channels(path: str | os.PathLike[str], planes: NDArray, names: Sequence[str], axes: str = "CYX") -> None:
    """Write channels (C, H, W), or pages of them (Z, C, H, W), as OME-TIFF that names them; complete or not at all.

    Raises:
        UserError: a folder that cannot be written, a full disk.
    """
    channels = {"Name": list(names)}
    # An identifier of the content: the same pixels give the same file.
    digest = hashlib.sha256(np.ascontiguousarray(planes).tobytes()).digest()
    metadata = {"axes": axes, "Channel": channels, "UUID": str(uuid.UUID(bytes=digest[:16]))}
    write_tiff(path, planes, planes.nbytes, ome=True, photometric="minisblack", metadata=metadata)


def write_tiff(path: str | os.PathLike[str], pixels: NDArray | Iterator[NDArray], size: int, **options: Any) -> None:
    """Write a TIFF compressed by deflate, atomically.

    From 4 GB of pixels on it is a BigTIFF. tifffile takes that for uncompressed pixels alone, and fails half-way where
    compressed ones turn out to be too many.

    Args:
        path: the file.
        pixels: an array, or its tiles one after the other.
        size: bytes of all pixels, uncompressed.
        options: further arguments of `tifffile.imwrite`.

    Raises:
        UserError: a folder that cannot be written, a full disk.
    """
    with replace_file(path) as temporary:
        tifffile.imwrite(temporary, pixels, bigtiff=size > LARGEST_TIFF, compression="zlib", **options)
