"""Which channels of a file make an image, and how several channels are shown as one picture."""

from __future__ import annotations

from collections.abc import Sequence
from colorsys import hsv_to_rgb
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import UserError

Channel = int | tuple[int, ...] | None
"""One channel, as an image (H, W); several, as (H, W, C) in this order; None: the image as viewers show it."""

GRAY = ("gray",)
"""Name of the channel where no names are given: colours become luma."""
_MOST_CHANNELS = 8  # an image is wider

# Okabe and Ito's palette.
_OKABE_ITO = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)
# Colours of the first channels, as RGB; colour-blind readers distinguish green and magenta.
_COLOURS = {2: ((0, 1, 0), (1, 0, 1)), 3: ((1, 0, 0), (0, 1, 0), (0, 0, 1))}


def as_channel(channel: int | Sequence[int] | None) -> Channel:
    """A channel as readers take it, from a setting: a list of one number is that number.

    Raises:
        UserError: anything else than whole numbers, each once.
    """
    if channel is None:
        return None
    numbers: list[int] = [channel] if isinstance(channel, int) else list(channel)
    if not numbers or any(type(number) is not int for number in numbers) or len(set(numbers)) < len(numbers):
        raise UserError(f"channel {channel}: give a number from 0, or several such as [0, 2], each once")
    return numbers[0] if len(numbers) == 1 else tuple(numbers)


def count_of(channel: Channel) -> int:
    """Channels of an image read with `channel`; the image as viewers show it is one of gray values."""
    return len(channel) if isinstance(channel, tuple) else 1


def check_axes(axes: str | None) -> str | None:
    """The axes of TIFF files as a setting names them, such as `CYX`: what its pages are, in their order.

    Raises:
        UserError: no such text.
    """
    letters = None if axes is None else str(axes).upper()
    if letters is None:
        return None
    known = "YX" in letters and len(set(letters)) == len(letters) and set(letters) <= set("TZCYX")
    if not known or letters.partition("YX")[2] not in ("", "C"):
        raise UserError(f"axes {axes!r}: give T, Z, C, each at most once, and YX, such as CYX, ZCYX or YXC")
    return letters


def refuse_channels_as_columns(path: Path, shape: Sequence[int]) -> None:
    """Raise UserError if an array (..., H, W) without names of its axes is rather one of (H, W, C)."""
    rows, columns, channels = shape[-3:]
    if channels <= _MOST_CHANNELS and channels < min(rows, columns):
        raise UserError(
            f"{path}: has {rows} pages of {columns} x {channels} pixels; save an image of {channels} channels as "
            "(C, H, W), with axes CYX; if these are pages, give axes ZYX"
        )


def class_colours(count: int) -> list[tuple[int, int, int]]:
    """A colour (RGB, 8 bits) for each class, black for the first, then seven that the colour-blind distinguish."""
    further = (hsv_to_rgb(0.618 * n % 1, 0.6, 0.9) for n in range(count))
    colours = [(int(255 * red), int(255 * green), int(255 * blue)) for red, green, blue in further]
    return [(0, 0, 0), *_OKABE_ITO, *colours][:count]


def as_picture(planes: NDArray) -> NDArray:
    """Gray values (C, H, W) to look at: (H, W) of one channel or more than three, else colours (H, W, 3).

    Two channels are green and magenta, three are red, green and blue; of more, the mean is shown.
    """
    if len(planes) not in _COLOURS:
        return planes.mean(axis=0, dtype=planes.dtype)
    return np.moveaxis(np.tensordot(np.array(_COLOURS[len(planes)], planes.dtype).T, planes, axes=1), 0, -1)
