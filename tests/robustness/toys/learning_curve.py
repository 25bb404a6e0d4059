"""`scripts.learning_curve` with trainings of two steps."""

from __future__ import annotations

from collections.abc import Sequence
from unittest import mock

from scripts.learning_curve import __main__ as learning_curve

TINY = {
    "network_def#depth": 1,
    "network_def#features": 2,
    "input_size": 44,
    "steps_per_epoch": 2,
    "max_epochs": 1,
    "val_interval": 1,
}


def main(words: Sequence[str]) -> int:
    """As the command."""
    write = learning_curve.write_json
    with mock.patch.object(learning_curve, "write_json", lambda path, content: write(path, content | TINY)):
        return learning_curve.main(words)
