"""Elastic deformation after Simard, Steinkraus and Platt (2003): smoothed noise, as in a common reproduction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Unpack

import numpy as np
from monai.config import KeysCollection, NdarrayOrTensor
from numpy.typing import NDArray
from scipy.ndimage import convolve1d

from ..errors import UserError
from .arguments import Size, check_range, check_sizes, smallest
from .random_window import Placement, RandWindow, RandWindowd
from .sampling import Mode, Warp


def gaussian_kernel(size: int, sigma: float) -> NDArray[np.float64]:
    """Gaussian of sum 1, centred at size / 2, half a pixel off the middle of an odd kernel, as in the reproduction."""
    kernel = np.exp(-((np.arange(size) - size / 2) ** 2) / (2 * sigma**2))
    return kernel / kernel.sum()


class RandSimardElastic(RandWindow):
    """Random window displaced by smoothed noise: uniform in [-1, 1] per window pixel, Gaussian filter, times alpha.

    The filter is separable, zero beyond the window, and lies half a pixel off the middle (`gaussian_kernel`).
    With the defaults the displacement has a standard deviation of 1.6 pixels. Everything else is as in
    `RandElasticGrid`: mirrored borders, one sampling.

    Example:
        >>> window = RandSimardElastic((40, 60), alpha=50, sigma=5, prob=0.7)
        >>> window(np.zeros((1, 30, 50), np.float32)).shape
        (1, 40, 60)

    Args:
        spatial_size: (rows, columns) of the window, or one int for both.
        alpha: factor of the smoothed noise, working pixels.
        sigma: standard deviation of the Gaussian, pixels, above 0.
        kernel_size: taps of the Gaussian per axis, odd.
        mode: "cubic", "linear" or "nearest".
        prob: probability of deforming and rotating.
        placement: `center`, `rotate_range`, `flip_prob`, `scale_range`, `shift_range`, `stride`, `tile_size`,
            `scale`: see `RandWindow`.

    Raises:
        UserError: an argument is out of range.
    """

    def __init__(
        self,
        spatial_size: Size,
        alpha: float = 50.0,
        sigma: float = 5.0,
        kernel_size: int = 25,
        mode: Mode = "linear",
        prob: float = 0.7,
        tile_size: Size | None = None,
        **placement: Unpack[Placement],
    ) -> None:
        super().__init__(spatial_size, mode=mode, prob=prob, tile_size=tile_size, **placement)
        self.alpha = check_range("alpha", alpha)
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise UserError(f"kernel_size is {kernel_size}, but must be odd and at least 1")
        self.kernel = gaussian_kernel(kernel_size, check_range("sigma", sigma, least=1e-3))
        self.displacement: NDArray[np.float32] | None = None

    def randomize(self, data: tuple[int, int], weight: NdarrayOrTensor | None = None) -> None:
        """Draw the window (see `RandWindow.randomize`) and the displacement (2, rows, columns), pixels."""
        super().randomize(data, weight)
        self.displacement = None
        if self._do_transform:
            noise = self.R.uniform(-1, 1, (2, *self.spatial_size)).astype(np.float32)
            smooth = convolve1d(convolve1d(noise, self.kernel, 1, mode="constant"), self.kernel, 2, mode="constant")
            self.displacement = np.float32(self.alpha) * smooth

    def warp(self) -> Warp:
        offset = None if self.displacement is None else self.displacement / np.float32(self.scale)
        return replace(super().warp(), offset=offset)


class RandSimardElasticd(RandWindowd):
    """Dictionary version of `RandSimardElastic`: image, label and weights from one draw.

    Example:
        >>> window = RandSimardElasticd(["image", "label"], [[40, 60], [20, 30]], mode=["linear", "nearest"])
        >>> item = {"image": np.zeros((1, 70, 50), np.float32), "label": np.zeros((1, 70, 50), np.uint8)}
        >>> {key: value.shape for key, value in window(item).items()}
        {'image': (1, 40, 60), 'label': (1, 20, 30)}

    Args:
        keys, spatial_size, mode, weight_key, allow_missing_keys: as in `RandElasticGridd`.
        alpha, sigma, kernel_size, prob: as in `RandSimardElastic`.
        placement: see `RandWindow`. The reproduction uses `center="tiles"`, `stride=124`, and omits the affine map
            `rotate_range=math.radians(3)`, `shift_range=3` for speed.
    """

    def __init__(
        self,
        keys: KeysCollection,
        spatial_size: Any,
        mode: Mode | Sequence[Mode] = "linear",
        alpha: float = 50.0,
        sigma: float = 5.0,
        kernel_size: int = 25,
        prob: float = 0.7,
        weight_key: str | None = None,
        allow_missing_keys: bool = False,
        **placement: Unpack[Placement],
    ) -> None:
        sizes = check_sizes(keys, spatial_size)
        window = RandSimardElastic(
            sizes[0], alpha, sigma, kernel_size, prob=prob, tile_size=smallest(sizes), **placement
        )
        super().__init__(keys, window, sizes, mode, weight_key, allow_missing_keys)


RandSimardElasticD = RandSimardElasticDict = RandSimardElasticd
