"""The working scale: the grid on which a network sees an image, and the filter before it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..errors import UserError

LARGEST = 16.0  # working pixels per image pixel, or the inverse


def check_scale(scale: float) -> float:
    """`scale`, if it is a number of working pixels per image pixel in [1/16, 16].

    Raises:
        UserError: otherwise.
    """
    if isinstance(scale, bool) or not isinstance(scale, (int, float)) or not 1 / LARGEST <= scale <= LARGEST:
        raise UserError(f"scale is {scale!r}, but must be working pixels per image pixel, {1 / LARGEST} to {LARGEST:g}")
    return float(scale)


@dataclass(frozen=True)
class WorkingAxis:
    """One axis of `size` image pixels on the working grid.

    The first and the last pixel of both grids coincide. So the mirrored surroundings of the working image are the
    working image of the mirrored surroundings, mirroring the image mirrors the working image, and no probability has
    to be extrapolated on the way back. The step is 1 / scale up to the rounding of `working_size`.
    """

    size: int
    scale: float

    @property
    def working_size(self) -> int:
        """Pixels on the working grid, at least 2 where the image has as many."""
        return 1 if self.size == 1 else 1 + max(1, int((self.size - 1) * self.scale + 0.5))

    @property
    def step(self) -> float:
        """Image pixels from one working pixel to the next."""
        return (self.size - 1) / max(self.working_size - 1, 1)

    def around(self, start: int, stop: int) -> slice:
        """The working pixels from which the image pixels [start, stop) are interpolated linearly."""
        if self.size == 1:
            return slice(0, 1)
        first = min(int(start / self.step), self.working_size - 2)
        last = min(int((stop - 1) / self.step), self.working_size - 2) + 1
        return slice(first, last + 1)


def anti_alias_sigma(scale: float) -> float:
    """Standard deviation in image pixels of the Gaussian before sampling at `scale`, as `skimage.transform.rescale`."""
    return max(0.0, (1 / scale - 1) / 2)


def anti_alias(image: NDArray[np.float32], scale: float) -> NDArray[np.float32]:
    """The image (..., H, W) without the detail that the working grid cannot resolve; unchanged at scale 1 and above.

    Borders are mirrored without repeating the edge pixel.
    """
    sigma = anti_alias_sigma(scale)
    if sigma == 0:
        return image
    return ndimage.gaussian_filter(image, sigma, mode="mirror", axes=(-2, -1))
