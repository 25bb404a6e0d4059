"""Separate regions of a mask."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from skimage.measure import label


def count_regions(mask: NDArray) -> dict[int, int]:
    """Value and number of regions, 8-connected, of each value but 0 in a mask (H, W).

    Example:
        >>> count_regions(np.array([[5, 0, 2, 0, 2], [0, 5, 0, 0, 0]]))
        {2: 2, 5: 1}
    """
    regions = label(mask, background=0, connectivity=2)
    numbers, first = np.unique(regions, return_index=True)
    values, counts = np.unique(mask.ravel()[first[numbers > 0]], return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))
