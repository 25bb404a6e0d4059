"""Make the C library keep freed memory, for allocations of the same sizes in a loop."""

from __future__ import annotations

import ctypes
import platform

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # parameters of mallopt, from malloc.h of glibc
KEPT = 2**31 - 1  # bytes of freed memory to keep; the largest number that mallopt accepts


def keep_freed_memory() -> None:
    """Make glibc keep up to 2 GiB of freed memory instead of returning it to the operating system.

    By default glibc maps every block above 32 MiB anew, and the operating system clears it page by page. A network on
    the CPU allocates and frees a block for each layer, and spends a fifth to a half of its time on that, more on
    virtual machines. Other C libraries are not affected.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_TRIM_THRESHOLD, KEPT)
        libc.mallopt(M_MMAP_MAX, 0)
