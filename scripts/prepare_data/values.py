"""What the values of masks may mean, judged by where they occur."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import label

from custom.data.regions import count_regions
from custom.errors import UserError

_FEW_INSIDE = 0.05
"""Share of in-between pixels in 3 x 3 squares of one value: at least 0.6 of numbered cells, 0 of smoothed outlines."""
_SLOPE = 0.2
"""Share of in-between pixels on slopes: at most 0.04 of numbered dots and thin objects, at least 0.3 if smoothed."""


@dataclass
class MaskValues:
    """Values of masks, gathered from one after another.

    Attributes:
        ignore: the value that does not count.
        of_masks: all others, of each mask.
        unnumbered: a mask in which the one value that is not 0 marks several regions; None if a mask has more values.
        objects: values that are not 0, counted in each mask.
        scattered: those of them that mark several regions, which do not even touch at a corner.
    """

    ignore: int | None
    of_masks: list[set[int]] = field(default_factory=list)
    objects: int = 0
    scattered: int = 0
    _several: bool = False
    _unnumbered: Path | None = None

    @property
    def found(self) -> set[int]:
        """The values of all masks."""
        return set().union(*self.of_masks)

    @property
    def unnumbered(self) -> Path | None:
        return None if self._several else self._unnumbered

    @property
    def one_each(self) -> bool:
        """Whether each mask has at most one value that is not 0."""
        return not self._several

    def add(self, mask: NDArray, path: Path) -> None:
        """Take a mask (H, W) into account.

        Raises:
            UserError: its outlines are smoothed.
        """
        own = set(np.unique(mask).tolist()) - {self.ignore}
        counted = mask if self.ignore is None else np.where(mask == self.ignore, 0, mask)
        if len(own) > 4 and is_smoothed(counted):
            raise UserError(
                f"{path}: has {len(own) - 2} values between {min(own)} and {max(own)}, along outlines only, as "
                "smoothing, resizing or JPEG leave them; threshold the mask, or resize it by nearest neighbour"
            )
        regions = count_regions(counted)
        self.of_masks.append(own)
        self.objects += len(regions)
        self.scattered += sum(count > 1 for count in regions.values())
        self._several |= len(regions) > 1
        if self._unnumbered is None and set(regions.values()) - {1}:
            self._unnumbered = path


def is_smoothed(mask: NDArray) -> bool:
    """Whether a mask (H, W) has areas of its least and greatest values, and slopes from one to the other without any.

    Numbered dots may be as small, and beside higher and lower ones, but few of them lead to the greatest value.
    """
    highest, lowest = ndimage.maximum_filter(mask, 3), ndimage.minimum_filter(mask, 3)
    inside, low, high = highest == lowest, mask.min(), mask.max()
    between = (mask > low) & (mask < high)
    areas = inside[mask == low].any() and inside[mask == high].any()
    if not areas or not between.any() or inside[between].mean() >= _FEW_INSIDE:
        return False
    parts = label(between, connectivity=2)
    from_low_to_high = np.intersect1d(parts[between & (lowest == low)], parts[between & (highest == high)])
    slope = (highest > mask) & (lowest < mask) & np.isin(parts, from_low_to_high)
    return bool(slope[between].mean() > _SLOPE)
