"""The rectangle that a client asks for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def region_mask(shape: tuple[int, ...], location: Sequence[int], size: Sequence[int]) -> NDArray[np.bool_]:
    """Pixels of an image (H, W) inside a rectangle, which may go beyond the image on each side.

    Args:
        shape: of the image, (H, W).
        location: left and top edge [x, y]; may be negative.
        size: width and height; 0 means up to the image's edge.
    """
    inside = np.zeros(shape, bool)
    rows, columns = (
        slice(max(start, 0), max(start + extent, 0) if extent else None)
        for start, extent in zip(reversed(location), reversed(size), strict=True)
    )
    inside[rows, columns] = True
    return inside
