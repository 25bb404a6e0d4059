"""Run the campaign and write the table of what was tried.

python -m tests.robustness --profile medium --seed 0 --output docs/reliability.md
python -m tests.robustness --profile quick --only inferring

With `--keep FOLDER` the result of each part is kept there: a part that passed is not repeated by the next call, so that
the long profile, which takes hours, can be interrupted and continued.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from .part import PROFILES, Part, Tally
from .parts import PARTS
from .results import read_tally, write_tally
from .table import write_table


def main(argv: Sequence[str] | None = None) -> int:
    """0 if every case held."""
    parser = argparse.ArgumentParser(prog="python -m tests.robustness", description=__doc__)
    parser.add_argument("--profile", choices=PROFILES, default="quick")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="part of the names of the parts to run")
    parser.add_argument("--output", type=Path, help="Markdown file")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep results of parts, and do not repeat them")
    given = parser.parse_args(argv)
    tallies = {}
    for part in PARTS:
        if given.only in str(part) and part.examples(given.profile):
            tallies[part] = kept_or_counted(part, given)
    if given.output:
        write_table(given.output, tallies, given.profile, given.seed)
    return int(any(tally.failed for tally in tallies.values()))


def kept_or_counted(part: Part, given: argparse.Namespace) -> Tally:
    """What became of the cases of a part: as an earlier call kept it if all passed, else by running them."""
    if given.keep and (kept := read_tally(given.keep, part, given.profile, given.seed)) and not kept.failed:
        return kept
    start = time.monotonic()
    tally = part.count(given.profile, given.seed)
    if given.keep:
        write_tally(given.keep, part, given.profile, given.seed, tally)
    cases = sum(tally.kinds.values())
    print(f"{part}: {cases} cases, {len(tally.failed)} failed, {time.monotonic() - start:.0f} s", flush=True)
    for failure in tally.failed:
        line = "  " + " | ".join(line for line in failure.splitlines() if line.strip())
        print(line[:1500], file=sys.stderr, flush=True)
    return tally


if __name__ == "__main__":
    sys.exit(main())
