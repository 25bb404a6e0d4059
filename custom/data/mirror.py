"""Mirrored borders at any distance, the same in training and inference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import UserError

Image = TypeVar("Image", NDArray[Any], torch.Tensor)


def mirror_index(index: NDArray[Any], size: int) -> NDArray[Any]:
    """Fold positions, which may be anywhere, into an axis of `size` pixels by mirroring at its ends.

    The edge pixel is not repeated (`numpy.pad(mode="reflect")`), and the mirrored axis is periodic in both directions.
    On an axis of one pixel every position becomes 0.

    Args:
        index: positions in pixels, integers or floats of any shape.
        size: length of the axis in pixels, at least 1.

    Returns:
        Positions in [0, size - 1], shape and dtype of `index`.

    Raises:
        UserError: `size` is below 1.
    """
    if size < 1:
        raise UserError(f"mirror_index: size is {size}, but an axis to mirror needs at least 1 pixel")
    index = np.asarray(index)
    if size == 1:
        return np.zeros_like(index)
    period = 2 * (size - 1)
    position = index % period
    return np.minimum(position, period - position)


def mirror_window(image: Image, start: Sequence[int], size: Sequence[int]) -> Image:
    """The window of an image whose first pixel is `start`, with mirrored borders (`mirror_index`).

    Args:
        image: array or tensor (..., H, W).
        start: row and column of the window's first pixel; may be negative or beyond the image.
        size: (rows, columns) of the window.

    Returns:
        A new array or tensor (..., rows, columns), dtype of `image`.

    Raises:
        UserError: the image has no pixels, or fewer than two axes.
    """
    if image.ndim < 2:
        raise UserError(f"mirror_window: image has shape {tuple(image.shape)}, but (..., H, W) is needed")
    for axis, first, length in zip((-2, -1), start, size, strict=True):
        index = mirror_index(np.arange(first, first + length), image.shape[axis])
        if isinstance(image, torch.Tensor):
            image = image.index_select(axis, torch.from_numpy(index).to(image.device))
        else:
            image = np.take(image, index, axis=axis)
    return image
