"""Run the campaign and write the table of what was tried.

python -m tests.robustness --profile medium --seed 0 --output docs/reliability.md
python -m tests.robustness --profile quick --only inferring
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from .part import PROFILES
from .parts import PARTS
from .table import write_table


def main(argv: Sequence[str] | None = None) -> int:
    """0 if every case held."""
    parser = argparse.ArgumentParser(prog="python -m tests.robustness", description=__doc__)
    parser.add_argument("--profile", choices=PROFILES, default="quick")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="part of the names of the parts to run")
    parser.add_argument("--output", type=Path, help="Markdown file")
    given = parser.parse_args(argv)
    tallies = {}
    for part in PARTS:
        if given.only in str(part) and part.examples(given.profile):
            start = time.monotonic()
            tallies[part] = tally = part.count(given.profile, given.seed)
            cases = sum(tally.kinds.values())
            print(f"{part}: {cases} cases, {len(tally.failed)} failed, {time.monotonic() - start:.0f} s", flush=True)
            for failure in tally.failed:
                print(
                    "  " + " | ".join(line for line in failure.splitlines() if line.strip())[:1500],
                    file=sys.stderr,
                    flush=True,
                )
    if given.output:
        write_table(given.output, tallies, given.profile, given.seed)
    return int(any(tally.failed for tally in tallies.values()))


if __name__ == "__main__":
    sys.exit(main())
