"""Timing of candidates in turn, so that a drift of the machine meets all of them alike."""

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
    """Wait for the GPU, if there is one: its work is queued, and queueing is not working."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def seconds(call: Call) -> float:
    """Time of one call: on one thread its processor time, which other programs hardly disturb; else wall-clock time.

    Of this thread alone: those of a library that was called before (BLAS) go on spinning for a while.
    """
    clock = time.thread_time if torch.get_num_threads() == 1 else time.perf_counter
    synchronise()
    start = clock()
    call()
    synchronise()
    return clock() - start


def turn(call: Call) -> float:
    """Mean time of the calls of one turn, as many as it holds."""
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
    """Let PyTorch and OpenCV use `count` threads; everything else timed here has one."""
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
