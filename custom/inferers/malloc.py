"""Let the C library keep freed memory while many tensors of the same sizes come and go."""

from __future__ import annotations

import ctypes
import platform

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # parameters of mallopt, from malloc.h of glibc
KEPT = 2**31 - 1  # freed bytes that stay with the process at most; the largest number that mallopt takes


def keep_freed_memory() -> None:
    """From now on use freed memory again, up to 2 GiB of it, instead of returning it to the operating system.

    glibc maps every block above 32 MiB afresh from the operating system, which clears it page by page. A network on the
    CPU allocates and frees a block for each layer, and spends a fifth to a half of its time on that, more on virtual
    machines. With other C libraries nothing changes.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_TRIM_THRESHOLD, KEPT)
        libc.mallopt(M_MMAP_MAX, 0)
