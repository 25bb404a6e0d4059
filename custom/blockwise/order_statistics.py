"""Exact order statistics of arrays larger than memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_DIGIT = 16  # bits counted in one pass; 8- and 16-bit pixels need one pass, 32-bit pixels two


def order_statistics(
    blocks: Callable[[], Iterable[NDArray]], dtype: np.dtype, ranks: Sequence[int]
) -> list[np.generic]:
    """The values at the given ranks of the sorted pixels, found by counting digits from the highest to the lowest.

    Args:
        blocks: function that iterates over all pixels in pieces, arrays of any shape; called once per pass.
        dtype: of the pixels: bool, integer or float without NaN.
        ranks: positions in the sorted pixels, from 0.

    Returns:
        One value of `dtype` for each rank.
    """
    bits = 8 * dtype.itemsize
    digit = min(_DIGIT, bits)
    prefixes, remaining = [0] * len(ranks), list(ranks)
    for shift in range(bits - digit, -1, -digit):
        counts = {prefix: np.zeros(1 << digit, np.int64) for prefix in prefixes}
        for block in blocks():
            _count(_to_keys(block, dtype), counts, shift, digit)
        for i, prefix in enumerate(prefixes):
            cumulative = counts[prefix].cumsum()
            value = int(np.searchsorted(cumulative, remaining[i], side="right"))
            remaining[i] -= int(cumulative[value - 1]) if value else 0
            prefixes[i] = prefix << digit | value
    return [_from_key(prefix, dtype) for prefix in prefixes]


def _count(keys: NDArray, counts: dict[int, NDArray], shift: int, digit: int) -> None:
    """Add to the count of each prefix the digits at `shift` of the keys that begin with it."""
    whole = shift + digit == 8 * keys.dtype.itemsize
    digits = (keys >> np.array(shift, keys.dtype)) & np.array((1 << digit) - 1, keys.dtype)
    for prefix, count in counts.items():
        chosen = digits if whole else digits[keys >> np.array(shift + digit, keys.dtype) == prefix]
        count += np.bincount(chosen.astype(np.intp), minlength=1 << digit)


def _to_keys(block: NDArray, dtype: np.dtype) -> NDArray:
    """Unsigned integers, flat, in the order of the pixels; of floats the bits, with those of negative ones flipped."""
    unsigned = np.dtype(f"u{dtype.itemsize}")
    bits = np.ascontiguousarray(block, dtype).reshape(-1).view(unsigned)
    sign = np.array(1 << (8 * dtype.itemsize - 1), unsigned)
    if dtype.kind == "i":
        return bits ^ sign
    if dtype.kind == "f":
        return np.where(bits & sign, ~bits, bits | sign)
    return bits


def _from_key(key: int, dtype: np.dtype) -> Any:
    unsigned = np.dtype(f"u{dtype.itemsize}")
    sign = 1 << (8 * dtype.itemsize - 1)
    if dtype.kind == "i":
        key ^= sign
    elif dtype.kind == "f":
        key = key ^ sign if key & sign else key ^ (2 * sign - 1)
    return np.array(key, unsigned).view(dtype)[()]
