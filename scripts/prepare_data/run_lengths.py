"""Run lengths of COCO: how many pixels outside, inside, outside, ... down the columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from custom.errors import UserError


def filled(run_lengths: dict[str, Any], where: str) -> NDArray[np.bool_]:
    """Pixels (H, W) of `{"size": [H, W], "counts": [...]}`, where `counts` may be a compressed text.

    Raises:
        UserError: the runs do not add up to the size; `where` begins the message.
    """
    try:
        height, width = (int(side) for side in run_lengths["size"])
        counts = run_lengths["counts"]
        runs = np.array(_decompressed(counts) if isinstance(counts, str) else counts, np.int64)
        if (runs < 0).any() or runs.sum() != height * width or height < 1:
            raise ValueError(f"{runs.sum()} pixels in {height} x {width}")
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
        raise UserError(f"{where} has run lengths that do not fit ({error}); export the objects again") from error
    inside = np.arange(len(runs)) % 2 == 1
    return np.repeat(inside, runs).reshape(width, height).T


def _decompressed(text: str) -> list[int]:
    """Numbers of COCO's text: 5 bits in each character, low bits first, then differences from the last but one."""
    runs: list[int] = []
    value = shift = 0
    for character in text:
        code = ord(character) - 48
        value |= (code & 0x1F) << shift
        shift += 5
        if code & 0x20:
            continue
        if code & 0x10:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    return runs
