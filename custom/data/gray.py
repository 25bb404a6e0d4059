"""Conversion of images of any type to gray values in [0, 1]."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError

PERCENTILES = (0.1, 99.9)
LOWEST_CONTRAST = 0.1
"""An image with less than this share of the contrast that a model was trained on is not stretched."""

# ITU-R BT.601, divided by a power of two: exact, so that gray pixels keep their value, and free of overflow.
_LUMA = np.array((299.0, 587.0, 114.0)) / 1024
_BIT_DEPTHS = (8, 10, 12, 14, 16, 24, 32, 64)


@dataclass(frozen=True)
class GrayRule:
    """How the pixels of an image become gray values.

    1. Alpha is dropped. Colours become luma, 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601).
    2. Two percentiles of the image (pixel values, nearest rank) become 0 and 1, linearly; values beyond them are
       clipped. If the percentiles coincide, minimum and maximum take their place; a constant image becomes 0.

    So bit depth, gain and offset of the camera do not matter (12 bits in a 16-bit file, or float), and single hot or
    dead pixels do not squeeze the contrast.

    A blank image would be stretched, too, until its noise looks like structure. A rule that knows the contrast of the
    training images prevents this: an integer image with less than `LOWEST_CONTRAST` of it is scaled as a training image
    would be, its middle gray at 0.5, with a warning. The contrast of floating-point images is unknown, because they may
    have any unit; they are always stretched.

    Example:
        >>> GrayRule(percentiles=(0, 100))(np.array([[100, 150, 300]], np.uint16)).tolist()
        [[0.0, 0.25, 1.0]]

    Args:
        percentiles: lower and upper, in percent.
        contrast: range between the percentiles in a typical training image, as a share of the full scale
            (see `contrast_of`); None: every image is stretched.

    Raises:
        UserError: percentiles that are not ascending in [0, 100], or a contrast outside (0, 1].
    """

    percentiles: tuple[float, float] = PERCENTILES
    contrast: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "percentiles", tuple(self.percentiles))  # JSON has lists
        if len(self.percentiles) != 2 or not 0 <= self.percentiles[0] < self.percentiles[1] <= 100:
            raise UserError(f"percentiles: got {self.percentiles}, expected two ascending numbers in [0, 100]")
        if self.contrast is not None and not 0 < self.contrast <= 1:
            raise UserError(f"contrast: got {self.contrast}, expected a share of the full scale, in (0, 1], or none")

    def __call__(self, image: NDArray, name: str = "image") -> NDArray[np.float32]:
        """Gray values (H, W) in [0, 1].

        Args:
            image: (H, W) or (H, W, C) with C = 1, 2 (gray, alpha), 3 (RGB) or 4 (RGBA); any real dtype, finite.
            name: name of the image in warnings and errors.

        Raises:
            UserError: another shape.
        """
        gray = as_float(luma(image, name))
        low, high = np.percentile(gray, self.percentiles, method="nearest")
        limits = self.limits((gray.min(), low, high, gray.max()), image.dtype, name)
        return scale(gray, *limits)

    @property
    def channels(self) -> int:
        """Channels of an image: one, to which colours become."""
        return 1

    def planes(self, image: NDArray, name: str = "image") -> NDArray[np.float32]:
        """Gray values (1, H, W); see `__call__`."""
        return self(image, name)[None]

    def limits(self, statistics: tuple[Any, Any, Any, Any], dtype: np.dtype, name: str) -> tuple[Any, Any]:
        """The values that become 0 and 1.

        Args:
            statistics: minimum, lower percentile, upper percentile and maximum of the luma.
            dtype: of the image.
            name: name of the image in warnings.
        """
        least, low, high, most = statistics
        full = _full_scale(least, most, dtype)
        if self.contrast is not None and full is not None and high - low < LOWEST_CONTRAST * self.contrast * full:
            warnings.warn(
                f"{name}: has {(high - low) / full:.1%} of the full scale as contrast, the model was trained on "
                f"{self.contrast:.1%}; not stretched, because it may be blank: check the image",
                stacklevel=2,
            )
            middle, half = (low + high) / 2, self.contrast * full / 2
            return middle - half, middle + half
        return (least, most) if low == high else (low, high)


@dataclass(frozen=True)
class GrayRules:
    """A `GrayRule` for each channel of an image of several: each is stretched by its own percentiles.

    Args:
        rules: in the order of the channels.
    """

    rules: tuple[GrayRule, ...]

    @property
    def channels(self) -> int:
        """Channels of an image."""
        return len(self.rules)

    def planes(self, image: NDArray, name: str = "image") -> NDArray[np.float32]:
        """Gray values (C, H, W) in [0, 1] of an image (H, W, C).

        Raises:
            UserError: another shape.
        """
        if image.ndim != 3 or image.shape[2] != len(self.rules):
            raise UserError(f"{name}: has shape {image.shape}; (H, W, {len(self.rules)}) is needed, channels last")
        return np.stack([rule(image[..., k], f"{name}, channel {k}") for k, rule in enumerate(self.rules)])


def gray_rules(rules: Iterable[GrayRule]) -> GrayRule | GrayRules:
    """The rule of an image whose channels have these rules."""
    rules = tuple(rules)
    return rules[0] if len(rules) == 1 else GrayRules(rules)


def to_gray(image: NDArray) -> NDArray[np.float32]:
    """Gray values (H, W) in [0, 1] by the default `GrayRule`."""
    return GrayRule()(image)


def contrast_of(images: Iterable[NDArray], percentiles: tuple[float, float] = PERCENTILES) -> float | None:
    """Median contrast of images: the range between their percentiles as a share of the full scale.

    The full scale is that of the smallest usual bit depth (8, 10, 12, 14, 16, ...) that holds the brightest pixel,
    because cameras store 12 bits in 16-bit files.

    Args:
        images: (H, W) or (H, W, C), as returned by `read_image`.
        percentiles: lower and upper, in percent.

    Returns:
        The median in (0, 1], or None if the images are floating-point or constant.
    """
    shares = []
    for image in images:
        gray = as_float(luma(image, "image"))
        low, high = np.percentile(gray, percentiles, method="nearest")
        full = _full_scale(gray.min(), gray.max(), image.dtype)
        if full is not None and high > low:
            shares.append(min(float((high - low) / full), 1.0))
    return float(np.median(shares)) if shares else None


def luma(image: NDArray, name: str) -> NDArray:
    """Brightness (H, W) of an image (H, W, C), or the image itself if it is (H, W).

    Raises:
        UserError: other than 1 to 4 channels.
    """
    if image.ndim == 2:
        return image
    channels = image.shape[2] if image.ndim == 3 else 0
    if channels in (1, 2):
        return image[..., 0]
    if channels in (3, 4):
        return image[..., :3].astype(np.float64) @ _LUMA / _LUMA.sum()
    raise UserError(f"{name}: has shape {image.shape}; (H, W) or (H, W, C) with 1 to 4 channels is needed")


def as_float(gray: NDArray) -> NDArray:
    """Values as float32, or as float64 if float32 cannot hold them or their differences."""
    gray = gray.astype(np.result_type(gray.dtype, np.float32))
    if gray.dtype == np.float32 and gray.size and np.abs(gray).max() > np.finfo(np.float32).max / 4:
        return gray.astype(np.float64)
    return gray


def scale(gray: NDArray, low: Any, high: Any) -> NDArray[np.float32]:
    """Map `low` to 0 and `high` to 1 linearly and clip; all 0 if they coincide. The dtype is that of `as_float`."""
    if low == high:
        return np.zeros(gray.shape, np.float32)
    if max(abs(low), abs(high)) > np.finfo(np.float64).max / 4:
        gray, low, high = gray / 4, low / 4, high / 4  # so that the difference stays finite
    return ((gray.clip(low, high) - low) / (high - low)).astype(np.float32)


def _full_scale(least: Any, most: Any, dtype: np.dtype) -> float | None:
    """Largest value of the bit depth in use; None for floating-point dtypes."""
    if dtype.kind not in "iu":
        return None
    brightest = max(abs(float(least)), abs(float(most)))
    return next(2.0**bits - 1 for bits in _BIT_DEPTHS if brightest < 2.0**bits or bits == _BIT_DEPTHS[-1])
