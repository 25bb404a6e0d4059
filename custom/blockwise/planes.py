"""Single planes of arrays that are never in memory at once, read and written by windows."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from ..classes import foreground_of


class Plane:
    """One plane of an array (Z, H, W)."""

    def __init__(self, array: Any, z: int) -> None:
        self.array = array
        self.z = z

    def __getitem__(self, window: tuple[slice, slice]) -> NDArray:
        return self.array[(self.z, *window)]

    def __setitem__(self, window: tuple[slice, slice], values: NDArray) -> None:
        self.array[(self.z, *window)] = values


class ForegroundPlane(Plane):
    """Probability of foreground in one plane of probabilities (Z, H, W) or, of several classes, (K, Z, H, W)."""

    def __getitem__(self, window: tuple[slice, slice]) -> NDArray:
        if self.array.ndim == 3:
            return super().__getitem__(window)
        return foreground_of(self.array[(slice(None), self.z, *window)])[0]
