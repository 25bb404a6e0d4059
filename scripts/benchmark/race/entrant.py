"""A candidate's side of the race: its data, its clock, and its predictions at the marks.

Imports only NumPy and psutil, since it runs in the environments of the peers, too.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil

Images = np.ndarray[Any, np.dtype[Any]]
Predict = Callable[[Images], Images]
CORES = 2  # a minute of the race is a minute of two cores, 120 seconds of processor time
READ_EVERY = 0.5  # seconds between readings of the clock, each of which visits all processes


class BudgetUsed(Exception):  # noqa: N818
    """Raised after the last mark, to leave the training loop of any library."""


def tree_seconds() -> float:
    """Processor time, user and system, of this process and all its descendants, also of those that ended."""
    total = 0.0
    own = psutil.Process()
    for process in (own, *own.children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


class Entrant:
    """Bookkeeping of one candidate: call :meth:`step` after each training step.

    At each mark the clock stops, the candidate predicts the held-out images, and the probabilities are written with the
    time that was used. Everything else counts: imports, preparation of the data, validation.

    Args:
        folder: holds ``data.npz``, written by `scripts.benchmark.race.course`, and receives the results in `output`.
        output: where the probabilities go.
        minutes: the marks, ascending.
        clock: seconds of processor time so far.

    Attributes:
        images: (N, H, W), to train on, in the dtype of the files.
        labels: uint8 (N, H, W), 1 in a cell and 0 on membrane.
        held_out: (M, H, W) as `images`, to predict.
        variant: which of several recipes in one module, "" for the only one.
        steps: training steps so far.
    """

    def __init__(
        self, folder: Path, output: Path, minutes: Sequence[float], clock: Callable[[], float] = tree_seconds
    ) -> None:
        with np.load(folder / "data.npz") as data:
            self.images, self.labels, self.held_out = data["images"], data["labels"], data["held_out"]
        self.output = output
        self.variant = ""
        self.ahead = sorted(minutes)
        self.last = self.ahead[-1]
        self.clock = clock
        self.steps = 0
        self._paused = self._paused_wall = 0.0
        self._start = time.monotonic()
        self._read_at, self._used = -READ_EVERY, 0.0
        output.mkdir(parents=True, exist_ok=True)

    @property
    def share(self) -> float:
        """Share of the whole budget that is used, 0 to 1, for learning-rate schedules."""
        return min(1.0, self.used() / (60 * CORES * self.last))

    def used(self) -> float:
        """Seconds of processor time, without predictions; at most `READ_EVERY` seconds old."""
        now = time.monotonic()
        if now - self._read_at >= READ_EVERY:
            self._used = self.clock() - self._paused
            self._read_at = now
        return self._used

    def step(self, predict: Predict) -> None:
        """Count a training step; at a mark, predict and write.

        Args:
            predict: foreground probabilities (H, W) of a held-out image (H, W). Leaves the network in training
                mode.

        Raises:
            BudgetUsed: the last mark is passed.
        """
        self.steps += 1
        used = self.used()
        passed = [mark for mark in self.ahead if used >= 60 * CORES * mark]
        if passed:
            with self.pause():
                self._write(passed[-1], used, predict)  # of several marks in one long step, the last
            self.ahead = self.ahead[len(passed) :]
        if not self.ahead:
            raise BudgetUsed

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Stop the clock."""
        before, wall = self.clock(), time.monotonic()
        yield
        self._paused += self.clock() - before
        self._paused_wall += time.monotonic() - wall
        self._read_at = -READ_EVERY

    def _write(self, mark: float, used: float, predict: Predict) -> None:
        wall = time.monotonic() - self._start - self._paused_wall
        probability = np.stack([predict(image) for image in self.held_out]).astype(np.float32)
        facts = {"mark": mark, "minutes": used / 60 / CORES, "wall_minutes": wall / 60, "steps": self.steps}
        temporary = self.output / f"{mark:g}.partial.npz"
        np.savez(temporary, probability=probability, facts=json.dumps(facts))
        temporary.replace(self.output / f"{mark:g}.npz")
        print(facts, flush=True)


def enter(train: Callable[[Entrant], None]) -> None:
    """Run a recipe with the command line that `scripts.benchmark.race.course` gives it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--minutes", type=float, nargs="+", required=True)
    parser.add_argument("--variant", default="")
    options = parser.parse_args()
    os.environ.setdefault("MPLBACKEND", "Agg")
    entrant = Entrant(options.folder, options.output, options.minutes)
    entrant.variant = options.variant
    try:
        train(entrant)
    except BudgetUsed:
        # Workers of a library's loaders may wait for ever, and this process for them.
        for child in psutil.Process().children(recursive=True):
            child.kill()
        os._exit(0)
    raise SystemExit(f"the training ended after {entrant.steps} steps, before the budget was used")
