"""`numba.njit` without the GIL, cached on disk where possible."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def compiled(function: Callable) -> Any:
    """Compile a function with `numba.njit`, releasing the GIL; the machine code is cached on disk if possible."""
    try:
        return numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:  # neither the source folder nor the home folder is writable
        return numba.njit(nogil=True)(function)
