"""Names of files and the like in pictures, whatever letters they have."""

from __future__ import annotations

from functools import cache

import matplotlib
from matplotlib.ft2font import FT2Font
from PIL import ImageFont

from custom.data.pairs import composed


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which Matplotlib brings along and draws with, too.

    Args:
        size: height of the letters in pixels.
    """
    return ImageFont.truetype(_file(), size)


def drawable(text: str) -> str:
    """The text with escapes, as on the console, for letters that the font lacks, such as Chinese ones."""
    return "".join(
        letter if letter.isprintable() and ord(letter) in _letters() else letter.encode("unicode_escape").decode()
        for letter in composed(text)
    )


@cache
def _letters() -> frozenset[int]:
    return frozenset(FT2Font(_file()).get_charmap())


def _file() -> str:
    return f"{matplotlib.get_data_path()}/fonts/ttf/DejaVuSans.ttf"
