"""Interleaved timing, so that drift of the machine affects all candidates equally."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import metadata
from typing import Any

import cv2
import torch

Call = Callable[[], Any]
Times = dict[str, list[float]]
TURN = 0.1  # seconds, at least: one call of a slow candidate, several of a fast one


def synchronise() -> None:
    """Wait for the GPU, if there is one, since its work is queued."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def seconds(call: Call) -> float:
    """Time of one call: processor time on one thread, which other programs hardly affect; otherwise wall-clock time.

    Only of this thread, because threads of libraries called before (BLAS) keep spinning for a while.
    """
    clock = time.thread_time if torch.get_num_threads() == 1 else time.perf_counter
    synchronise()
    start = clock()
    call()
    synchronise()
    return clock() - start


def turn(call: Call) -> float:
    """Mean time of the calls of one turn."""
    taken = [seconds(call)]
    while sum(taken) < TURN:
        taken.append(seconds(call))
    return statistics.mean(taken)


def alternate(candidates: Mapping[str, Call], rounds: int, warm_up: bool = True) -> Times:
    """Seconds of each candidate in each round, in which each has one turn; a warm-up call is not counted."""
    if warm_up:
        for call in candidates.values():
            call()
    times: Times = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, call in candidates.items():
            times[name].append(turn(call))
    return times


def median(times: Times, name: str) -> float:
    """Median seconds of a candidate."""
    return statistics.median(times[name])


def speedup(times: Times, slow: str, fast: str) -> float:
    """How many times faster `fast` is: the median of the ratios of the rounds."""
    return statistics.median(s / f for s, f in zip(times[slow], times[fast], strict=True))


def comparison(times: Times, own: str, unit: float, absent: Sequence[str] = ()) -> list[list[Any]]:
    """Rows of name, median time in units of `unit` seconds, and how many times faster `own` is."""
    rows: list[list[Any]] = [[name, median(times, name) / unit, speedup(times, name, own)] for name in times]
    return rows + [[name, None, None] for name in absent]


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Set the number of threads of PyTorch and OpenCV; everything else timed here uses one."""
    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(count)
    cv2.setNumThreads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])


def version(package: str) -> str | None:
    """Version of an installed package, or None."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
