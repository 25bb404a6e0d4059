"""Let the C library keep freed memory while many tensors of the same sizes come and go."""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager

# From malloc.h of glibc, and the values glibc itself arrives at for a program that allocates large blocks.
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
USUAL_TRIM_THRESHOLD, USUAL_MMAP_MAX = 64 * 2**20, 65536
NEVER_TRIM, NO_MMAP = -1, 0


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Inside the context, memory that was freed is used again; on leaving it goes back to the operating system.

    glibc maps every block above 32 MiB afresh from the operating system, which clears it page by page. A forward pass
    on the CPU allocates and frees a block for each layer, and spends up to half of its time on that. With other C
    libraries nothing changes.
    """
    if platform.libc_ver()[0] != "glibc":
        yield
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(M_TRIM_THRESHOLD, NEVER_TRIM)
    libc.mallopt(M_MMAP_MAX, NO_MMAP)
    try:
        yield
    finally:
        libc.mallopt(M_TRIM_THRESHOLD, USUAL_TRIM_THRESHOLD)
        libc.mallopt(M_MMAP_MAX, USUAL_MMAP_MAX)
        libc.malloc_trim(0)
