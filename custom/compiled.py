"""How the loops that are sequential by nature are compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def compiled(function: Callable) -> Any:
    """Compile with numba to run without the interpreter's lock; kept on disk if there is a place for it."""
    try:
        return numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:  # Neither the checkout nor the home folder can be written to.
        return numba.njit(nogil=True)(function)
