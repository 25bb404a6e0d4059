"""Alternatives for the weight map: by its definition, and by distance transforms around each cell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Array = NDArray[np.float64]
Distance = Callable[[NDArray[np.bool_]], NDArray]
W0, SIGMA = 10.0, 5.0
REACH = 27  # pixels; farther away the border term is below 1e-6 of w0


def scipy_distance(outside: NDArray[np.bool_]) -> Array:
    """Distance of each True pixel to the nearest False one."""
    return ndimage.distance_transform_edt(outside)


def opencv_distance(outside: NDArray[np.bool_]) -> NDArray[Any]:
    """The same by OpenCV, in float32."""
    return cv2.distanceTransform(outside.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)


def emphasis(d1: Array, d2: Array) -> Array:
    """The border term."""
    return W0 * np.exp(-((d1 + d2) ** 2) / (2 * SIGMA**2))


def balance(label: NDArray[np.uint8]) -> Array:
    """The class weights of each pixel of a label of 0 and 1: the majority gets 1."""
    counts = np.bincount(label.ravel(), minlength=2)
    return (counts.max() / counts)[label]


def naive(label: NDArray[np.uint8], limit: int | None = None) -> Array:
    """The definition: a distance transform of the whole image for each cell, a stack of all, sorted.

    Args:
        label: 1 in a cell, (H, W).
        limit: stop after this many cells, to measure what one costs.

    Returns:
        (H, W), the border term inside the cells too.
    """
    cells, count = ndimage.label(label)
    numbers = range(1, min(count, limit or count) + 1)
    distances = np.stack([scipy_distance(cells != number) for number in numbers])
    distances.sort(axis=0)
    return balance(label) + emphasis(distances[0], distances[1])


def boxed(label: NDArray[np.uint8], distance: Distance) -> Array:
    """A distance transform around each cell's bounding box, and the two smallest so far at each pixel."""
    cells, _ = ndimage.label(label)
    d1, d2 = (np.full(label.shape, np.inf) for _ in range(2))
    for number, box in enumerate(ndimage.find_objects(cells), start=1):
        area = tuple(slice(max(part.start - REACH, 0), part.stop + REACH) for part in box)
        own = distance(cells[area] != number)
        d2[area] = np.minimum(d2[area], np.maximum(d1[area], own))
        d1[area] = np.minimum(d1[area], own)
    return balance(label) + emphasis(d1, d2)
