"""`scripts.reproduce` with trainings of two steps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from unittest import mock

from scripts.reproduce import __main__ as reproduce

BUDGET = Path(__file__).with_name("toy.json")


def main(words: Sequence[str]) -> int:
    """As the command, with the budget `toy`."""
    with mock.patch.object(reproduce, "budgets", return_value={"toy": BUDGET}):
        return reproduce.main(words)
