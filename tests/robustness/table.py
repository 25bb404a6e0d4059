"""The campaign's result as a document."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from .part import Part, Tally

INTRODUCTION = """\
# Reliability

Written by `python -m tests.robustness --profile {profile} --seed {seed} --output docs/reliability.md`, which calls
every command with generated input and under faults. A case passes if the command ends with exit code 0 and an output
that an independent reader agrees with; or with exit code 1 or 2, one line that names the file or argument, and nothing
under a final name; or, interrupted, with 130 or 143, one line that says how to go on, and nothing half-written. *Kinds*
counts the different combinations of layout and damage, setting and mistake, document and change, or command and moment.

`make test` runs a few cases of each part, `make slow` ten times as many. What once failed is a test of its own
beside the code that was fixed.
"""


def write_table(path: Path, tallies: Mapping[Part, Tally], profile: str, seed: int) -> None:
    """Write what was tried and what held, as Markdown."""
    rows = []
    for part, tally in tallies.items():
        cases = sum(tally.kinds.values())
        passed = cases - len(tally.failed)
        rows.append(f"| {part.command} | {part.inputs} | {len(tally.kinds)} | {cases} | {passed} |")
    cases = sum(sum(tally.kinds.values()) for tally in tallies.values())
    failed = sum(len(tally.failed) for tally in tallies.values())
    kinds = sum(len(tally.kinds) for tally in tallies.values())
    table = [
        "| command | input | kinds | cases | passed |",
        "|---|---|---:|---:|---:|",
        *rows,
        f"| all | | {kinds} | {cases} | {cases - failed} |",
    ]
    text = INTRODUCTION.format(profile=profile, seed=seed) + "\n" + "\n".join(table) + "\n"
    path.write_text(text, encoding="utf-8")
