"""Sizes of images, and labels that fit them, read from files that a caller sent."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import nibabel
import numpy as np
import tifffile
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray
from PIL import Image

from .model import NOT_KNOWN
from .names import TIFF_SUFFIXES, RequestError

MOST_PIXELS = 1 << 28  # of an image that is sent, 16384 x 16384; an image in the folder may have any size
CHANNELS_FIRST = "CYX"
TURNED = (5, 6, 7, 8)  # orientations of EXIF that viewers show with height and width exchanged

Image.MAX_IMAGE_PIXELS = None  # the limit is the one above


def image_size(file: Path, name: str, axes: str | None = None) -> tuple[int, int]:
    """(H, W) of an image as viewers show it, from its header.

    Args:
        file: PNG, TIFF, JPEG, BMP or NIfTI, by its suffix.
        name: what messages call it.
        axes: of TIFF files that do not name them, such as "CYX".

    Raises:
        RequestError: several pages, or not a readable image.
    """
    try:
        if file.name.lower().endswith(".nii.gz"):
            return _nifti_size(_nifti(file).shape, name)
        if file.suffix.lower() in TIFF_SUFFIXES:
            with tifffile.TiffFile(file) as tiff:
                pages = [page for page in tiff.pages if not page.is_reduced]  # type: ignore[union-attr]
                sizes = dict(zip(tiff.series[0].axes, tiff.series[0].shape, strict=True))
                channels = (
                    len(pages) if axes == CHANNELS_FIRST else sizes.get("C")
                )  # pages may be the channels of one image
                if len(pages) not in (1, channels):
                    raise RequestError(400, f"{name}: has {len(pages)} pages; send one file for each")
                return pages[0].aspage().imagelength, pages[0].aspage().imagewidth
        with Image.open(file) as image:
            turned = image.getexif().get(0x0112) in TURNED
            return (image.width, image.height) if turned else (image.height, image.width)
    except RequestError:
        raise
    except Exception as error:  # each library has exceptions of its own
        raise RequestError(400, f"{name}: truncated, corrupt or not an image; send an intact file") from error


def check_image(file: Path, name: str, axes: str | None = None) -> tuple[int, int]:
    """(H, W) of an image that was sent; `RequestError` if it is unreadable, of several pages or very large."""
    size = image_size(file, name, axes)
    if size[0] * size[1] > MOST_PIXELS:
        most = f"{MOST_PIXELS >> 20} megapixels"
        raise RequestError(413, f"{name}: {size[0]} x {size[1]} pixels; send parts of at most {most}")
    return size


def check_label(file: Path, name: str, size: tuple[int, int], classes: Sequence[str]) -> None:
    """Refuse a label that does not give a class for each pixel of an image.

    Of two classes 0 is the first, any one other value the second. Of more, values are the numbers of the classes, and
    255 where nothing is known.

    Args:
        file: PNG, TIFF, BMP or NIfTI.
        name: what messages call it.
        size: of the image, (H, W).
        classes: names of the model's classes.

    Raises:
        RequestError: another size, several pages, colours, fractions, negative or other values, unreadable.
    """
    found = image_size(file, name)
    if found != size:
        raise RequestError(
            400, f"{name}: {found[0]} x {found[1]} pixels (height x width), the image has {size[0]} x {size[1]}"
        )
    try:
        label = _pixels(file)
    except Exception as error:
        raise RequestError(400, f"{name}: truncated, corrupt or not an image; send an intact file") from error
    if label.ndim == 3 and label.shape[2] > 2 and np.any(label[..., :3] != label[..., :1]):
        raise RequestError(400, f"{name}: has colours; send gray values, 0 for background")
    values = np.unique(label if label.ndim == 2 else label[..., 0])
    if values[0] < 0 or np.any(values != np.round(values)):
        raise RequestError(400, f"{name}: has fractions or negative numbers; send whole numbers, 0 for background")
    meant = [f"{number} {meaning}" for number, meaning in enumerate(classes)]
    if len(classes) == 2 and np.count_nonzero(values) > 1:
        raise RequestError(
            400, f"{name}: has {np.count_nonzero(values)} values besides 0; give {meant[0]}, any other one {classes[1]}"
        )
    others = [int(value) for value in values if value >= len(classes) and value != NOT_KNOWN]
    if len(classes) > 2 and others:
        raise RequestError(
            400, f"{name}: has the value {others[0]}; give {', '.join(meant)}, or {NOT_KNOWN} where nothing is known"
        )


def _pixels(file: Path) -> NDArray:
    """Values as stored: (H, W), or (H, W, C) of colours."""
    if file.name.lower().endswith(".nii.gz"):
        array = np.asarray(_nifti(file).dataobj)
        return array.reshape(array.shape[:2])
    if file.suffix.lower() in TIFF_SUFFIXES:
        return tifffile.imread(file, key=0)
    with Image.open(file) as image:
        return np.asarray(image)


def _nifti(file: Path) -> Nifti1Image:
    return nibabel.nifti1.load(file)


def _nifti_size(shape: tuple[int, ...], name: str) -> tuple[int, int]:
    if len(shape) != 2 and (len(shape) != 3 or shape[2] != 1):
        raise RequestError(400, f"{name}: has shape {shape}; send one slice of shape (W, H) or (W, H, 1)")
    return shape[1], shape[0]
