"""Cores that other programs leave free.

The threads of a forward pass wait for each other in every layer. If one of them has no core, the others wait until it
gets one: beside a single program on one of two cores, two threads took 11 times as long as one (docs/install.md).
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import torch

CGROUP = Path("/sys/fs/cgroup")  # of Linux; its limit in a container is the container's
LIMITS = (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"))  # quota and period, version 2 and 1
SHARE = 0.3  # of a core; less is the system itself
EVERY, GLANCE, STALE = 1.0, 0.1, 5.0  # seconds between looks, of a look of its own, after which one is forgotten


def usable_cores() -> int:
    """Cores that this process may use: those that it is bound to, and no more than its container has (`--cpus`)."""
    bound = len(psutil.Process().cpu_affinity()) if hasattr(psutil.Process, "cpu_affinity") else os.cpu_count() or 1
    return max(1, math.ceil(min(bound, container_cores())))


def container_cores(cgroup: Path = CGROUP) -> float:
    """Cores that the container has the processor time of, infinite without a limit (Linux cgroups, version 2 or 1)."""
    for names in LIMITS:
        try:
            quota, period = " ".join((cgroup / name).read_text(encoding="ascii") for name in names).split()
        except OSError:
            continue
        return math.inf if quota in ("max", "-1") else int(quota) / int(period)
    return math.inf


def clocks() -> tuple[float, float]:
    """Seconds of the wall's clock, and of processor time that all other programs have used, 0 if nobody may know."""
    try:
        used = psutil.cpu_times()
    except (OSError, RuntimeError):  # containers without /proc/stat
        return time.monotonic(), 0.0
    busy = used.user + used.system + getattr(used, "nice", 0.0)
    return time.monotonic(), busy - time.process_time()


def used_since(before: tuple[float, float], now: tuple[float, float]) -> float:
    """Cores that other programs used on average between two :func:`clocks`."""
    return (now[1] - before[1]) / max(now[0] - before[0], 1e-6)


def free_cores(others: float, cores: int) -> int:
    """Cores, at least one, that are left of `cores` while other programs use `others` of them."""
    return max(1, cores - math.ceil(max(0.0, others - SHARE)))


class ThreadLimit:
    """The most threads that a forward pass may take, while others in this process run on fewer.

    PyTorch gives a new thread of Python the number that any thread set last. One that begins while another has taken
    fewer would take these for its limit, and hand them on to all threads that begin later.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the threads that compute now."""
        self._lock = threading.Lock()
        self._open = 0
        self._most = self._taken = 1

    def enter(self) -> int:
        """Threads that the caller may take; call :meth:`leave` with them afterwards."""
        with self._lock:
            own = torch.get_num_threads()
            if self._open == 0:
                self._most = self._taken = own
            self._open += 1
            return self._most if own == self._taken else own

    def take(self, count: int) -> None:
        """Compute with `count` threads."""
        with self._lock:
            self._taken = count
            torch.set_num_threads(count)

    def leave(self, most: int) -> None:
        """Return to `most` threads."""
        with self._lock:
            self._open -= 1
            torch.set_num_threads(most)


LIMIT = ThreadLimit()


def _after_fork() -> None:
    """A forked process has none of its parent's OpenMP threads, and would wait for them for ever."""
    LIMIT.reset()
    torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork)


class FreeCores:
    """Follows what other programs use, for work whose result does not depend on its number of threads.

    Example:
        >>> with FreeCores().threads() as fit:
        ...     fit()
        ...     1 <= torch.get_num_threads()
        True
    """

    def __init__(self) -> None:
        self._before = (-math.inf, 0.0)
        self._count = 1

    def count(self) -> int:
        """Free cores, by the last seconds; after a pause by a glance of 0.1 s."""
        age = time.monotonic() - self._before[0]
        if age < EVERY:  # most calls, one for each tile: no need to read the clocks of all cores
            return self._count
        if age > STALE:
            self._before = clocks()
            time.sleep(GLANCE)
        now = clocks()
        self._count = min(usable_cores(), free_cores(used_since(self._before, now), os.cpu_count() or 1))
        self._before = now
        return self._count

    @contextmanager
    def threads(self) -> Iterator[Callable[[], None]]:
        """Gives a function that fits PyTorch's threads to the free cores; afterwards their number is as before.

        It never takes more threads than there were, so that `OMP_NUM_THREADS` is a limit.
        """
        most = LIMIT.enter()

        def fit() -> None:
            if most > 1:
                LIMIT.take(min(most, self.count()))

        try:
            yield fit
        finally:
            LIMIT.leave(most)
