"""Coverings of an axis by equal tiles whose origins are multiples of the network's divisor. Pure geometry.

The paper's own step, 388 pixels for a 572-pixel tile, is not a multiple of 16: neighbouring tiles then see different
pooling grids, and their logits do not continue each other. Here every step is a multiple of the divisor.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import UserError
from .geometry import Geometry


@dataclass(frozen=True)
class Span:
    """One tile along one axis: the network reads from `read`, and its kept logits from `crop` on go to `write`.

    `read` is the image coordinate of the first input pixel (negative: in the mirrored surroundings), `crop` the slice
    of the kept logits, `write` the slice of the window that is being predicted.
    """

    read: int
    crop: slice
    write: slice


@dataclass(frozen=True)
class AxisTiling:
    """`count` tiles of `input_size` pixels, `stride` apart, that cover the pixels [start, stop) of one axis.

    The first tile's kept pixels begin at the last multiple of the divisor that is not after `start`. All tiles but the
    last keep `stride` pixels, the last keeps what is left, up to `kept`.

    The pooling grid of an image that is read from its end begins there. So a tile that is read in both directions is
    extended by `shift` pixels at its start (`shift_to_end`); backwards the network gets the first `input_size` pixels,
    forwards the last, and only the logits predicted by both are kept.
    """

    geometry: Geometry
    start: int
    stop: int
    count: int
    input_size: int
    shift: int

    @property
    def length(self) -> int:
        """Number of pixels covered."""
        return self.stop - self.start

    @property
    def kept(self) -> int:
        """Pixels of logits that one tile can keep."""
        return self.input_size - 2 * self.geometry.border - self.shift

    @property
    def read_size(self) -> int:
        """Pixels to read for one tile."""
        return self.input_size + self.shift

    @property
    def stride(self) -> int:
        """Distance of tile origins: the largest multiple of the divisor within `kept`."""
        return self.kept // self.geometry.divisor * self.geometry.divisor

    @property
    def work(self) -> int:
        """Input pixels of all tiles together."""
        return self.count * self.input_size

    def spans(self) -> Iterator[Span]:
        """The tiles from first to last; their `write` slices meet without gap or overlap."""
        first = self.start // self.geometry.divisor * self.geometry.divisor
        for i in range(self.count):
            origin = first + i * self.stride
            low = max(origin, self.start)
            high = self.stop if i == self.count - 1 else origin + self.stride
            yield Span(
                read=origin - self.geometry.border - self.shift,
                crop=slice(low - origin, high - origin),
                write=slice(low - self.start, high - self.start),
            )


def shift_to_end(geometry: Geometry, size: int) -> int:
    """How many pixels earlier a tile has to end for its kept logits to begin on the reversed image's pooling grid.

    Args:
        geometry: of the network.
        size: pixels of the whole image along this axis.
    """
    return (geometry.input_size(1) - 2 * geometry.border - size) % geometry.divisor


def tilings(geometry: Geometry, start: int, stop: int, shift: int = 0) -> list[AxisTiling]:
    """Coverings of the pixels [start, stop): for each number of tiles that with the smallest tiles.

    Ordered from one large tile to many small ones. `shift`: see `AxisTiling`.
    """
    divisor = geometry.divisor
    length = stop - start // divisor * divisor
    smallest = geometry.input_size(1)
    rest = (smallest - 2 * geometry.border - shift) % divisor
    blocks = max(0, math.ceil((length - rest) / divisor))
    found: list[AxisTiling] = []
    for count in range(1, max(1, blocks) + 1):
        # `count` strides plus the rest that only the last tile keeps have to reach the end.
        input_size = geometry.input_size(max(1, math.ceil(blocks / count) * divisor + rest) + shift)
        if not found or input_size < found[-1].input_size:
            found.append(AxisTiling(geometry, start, stop, count, input_size, shift))
    return found


def fewest_tiles(candidates: list[AxisTiling], tile_size: int) -> AxisTiling:
    """The tiling with the fewest tiles of at most `tile_size` input pixels; `UserError` if none is that small."""
    for tiling in candidates:
        if tiling.input_size <= tile_size:
            return tiling
    raise UserError(
        f"tile_size is {tile_size}: the network needs input tiles of at least {candidates[-1].input_size} pixels"
    )


def least_work(rows: list[AxisTiling], columns: list[AxisTiling], largest_area: float) -> tuple[AxisTiling, AxisTiling]:
    """The pair of tilings that feeds the network the fewest pixels, with tiles of at most `largest_area` pixels.

    Convolutions cost the same per pixel, so the pixels fed measure the work. Of equal pairs the smaller tile wins.

    Raises:
        UserError: even the smallest tile is larger.
    """
    pairs = [(r, c) for r in rows for c in columns if r.input_size * c.input_size <= largest_area]
    if not pairs:
        raise UserError(
            f"memory_budget holds tiles of {largest_area:.0f} pixels only: the smallest tile of the network has "
            f"{rows[-1].input_size} x {columns[-1].input_size}"
        )
    return min(pairs, key=lambda pair: (pair[0].work * pair[1].work, pair[0].input_size * pair[1].input_size))
