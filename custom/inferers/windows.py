"""Windows of arrays that may be larger than memory, and arrays for the output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..data.mirror import mirror_index
from ..errors import UserError


def check_roi(shape: Sequence[int], roi: Sequence[slice]) -> None:
    """Raise `UserError` unless `shape` is that of images (B, C, H, W) and `roi` a window of pixels inside them."""
    if len(shape) != 4 or min(shape) < 1:
        raise UserError(f"inputs have shape {tuple(shape)}: give images (B, C, H, W) with at least one pixel")
    for name, part, size in zip(("rows", "columns"), roi, shape[-2:], strict=True):
        if part.step not in (None, 1) or not 0 <= part.start < part.stop <= size:
            raise UserError(f"roi has {name} {part.start}:{part.stop}: give a window inside 0:{size}")


def read_window(source: Any, image: int, start: Sequence[int], size: Sequence[int]) -> Tensor:
    """One window of one image of `source` (B, C, H, W), with mirrored surroundings, as float32 (C, *size).

    Reads no more of the source than the window shows. The source is a tensor, or anything that slices like an array.
    """
    rows, columns = (
        mirror_index(np.arange(first, first + length), full)
        for first, length, full in zip(start, size, source.shape[-2:], strict=True)
    )
    top, left = int(rows.min()), int(columns.min())
    part = source[image, :, top : int(rows.max()) + 1, left : int(columns.max()) + 1]
    window = part.float() if isinstance(part, Tensor) else torch.from_numpy(np.array(part, dtype=np.float32))
    for axis, index in ((-2, rows - top), (-1, columns - left)):
        if (np.diff(index) != 1).any():
            window = window.index_select(axis, torch.from_numpy(index).to(window.device))
    return window


def output_for(out: Any, source: Any, shape: tuple[int, ...]) -> Any:
    """`out` if it has the `shape` of the logits, or a new float32 tensor on the device of `source` if it is None.

    Raises:
        UserError: `out` has another shape.
    """
    if out is None:
        return torch.empty(shape, device=source.device if isinstance(source, Tensor) else "cpu")
    if tuple(out.shape) != shape:
        raise UserError(f"out has shape {tuple(out.shape)}: the logits have {shape}")
    return out
