"""A command and one sort of input; how its cases are run."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase
from hypothesis.strategies import SearchStrategy

PROFILES = {"quick": 1, "medium": 2, "long": 10}  # times as many cases as in the quick one


@dataclass(frozen=True)
class Part:
    """Cases of one command.

    Args:
        command: what is run.
        inputs: what is varied, in words.
        cases: strategy of cases; `str(case)` is its kind.
        check: runs one case in an empty folder; AssertionError if the property does not hold.
        quick: number of cases in the quick profile.
        slow: whether the quick profile leaves the part out.
    """

    command: str
    inputs: str
    cases: SearchStrategy[Any]
    check: Callable[[Any, Path], None]
    quick: int
    slow: bool = False

    def __str__(self) -> str:
        return f"{self.command}: {self.inputs}"

    def examples(self, profile: str) -> int:
        """Number of cases in a profile, a key of `PROFILES`."""
        return 0 if self.slow and profile == "quick" else self.quick * PROFILES[profile]

    def test(self, profile: str, seed: int = 0) -> None:
        """Run the cases; the first that fails is made as simple as possible and raised."""
        self._run(self._check_in_new_folder, profile, seed, tuple(Phase)[:-1])

    def count(self, profile: str, seed: int) -> Tally:
        """Run the cases, whatever comes, and count."""
        tally = Tally()

        def check(case: Any) -> None:
            tally.kinds[str(case)] += 1
            try:
                self._check_in_new_folder(case)
            except Exception as error:  # also what the campaign itself trips over
                tally.failed.append(f"{case}: {type(error).__name__}: {error}")

        self._run(check, profile, seed, (Phase.generate,))
        return tally

    def _run(self, check: Callable[[Any], None], profile: str, seed: int, phases: tuple[Phase, ...]) -> None:
        settings = hypothesis.settings(
            max_examples=self.examples(profile),
            deadline=None,
            database=None,
            phases=[phase for phase in phases if phase is not Phase.reuse],
            suppress_health_check=list(HealthCheck),
            print_blob=False,
        )
        hypothesis.seed(seed)(settings(hypothesis.given(self.cases)(check)))()

    def _check_in_new_folder(self, case: Any) -> None:
        # The folder has no links in its name: messages give it as it was typed.
        with tempfile.TemporaryDirectory(prefix="case-", dir=os.path.realpath(tempfile.gettempdir())) as folder:
            self.check(case, Path(folder))


@dataclass
class Tally:
    """What became of the cases of a part: how many of each kind there were, and which failed."""

    kinds: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
