"""Mutation testing: change the code of a folder in small ways, and count how many changes its tests notice.

    python -m scripts.mutation custom/metrics [--sample 150] [--seed 0] [--output docs/mutation.md]

Each TARGET is a folder of `custom` or a file in one; the tests are those of the same folder in `tests`. Outcomes are
kept in RESULTS: while its file is unchanged, a mutant that was killed is not tried again, and neither is a survivor
whose reason is given in `scripts/mutation/reasons.toml`. In OUTPUT only the figures of the folders are replaced.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from custom.errors import UserError
from custom.files import replace_file

from ..command import entry_point, make_parser
from .mutants import Mutant, mutants_of, sample
from .report import figures, read_reasons, replace_figures, summary
from .trial import Outcome, Trials

ROOT = Path(__file__).resolve().parents[2]


@entry_point("outcomes are kept; run the same command to continue")
def main(arguments: Sequence[str] | None = None) -> int:
    """Try the mutants of the folders that the command line names; returns the exit code."""
    options = parse(arguments)
    reasons = read_reasons()
    for folder, files in by_folder(options.targets).items():
        outcomes = read_outcomes(options.results)
        mutants = [mutant for file in sources(folder) for mutant in mutants_of(ROOT, file)]
        chosen = sample([m for m in mutants if m.file in files], options.sample, options.seed)
        left = [m for m in chosen if not is_settled(m, outcomes, reasons)]
        print(f"{folder}: {len(left)} of {len(mutants)} mutants to try", flush=True)
        try_all(folder, left, outcomes, options)
        print(summary(mutants, outcomes))
        if options.output is not None:
            write_report(options.output, folder, figures(mutants, outcomes, reasons))
    return 0


def is_settled(mutant: Mutant, outcomes: dict[str, Outcome], reasons: dict[tuple[str, str], str]) -> bool:
    """Whether a mutant need not be tried again: it was killed, or it survived and somebody wrote down why."""
    outcome = outcomes.get(mutant.digest)
    return outcome is not None and (outcome.is_killed or (mutant.file, mutant.after) in reasons)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = make_parser("scripts.mutation", __doc__)
    parser.add_argument("targets", nargs="+", metavar="TARGET", help="folder of `custom`, or a file in one")
    parser.add_argument("--sample", type=int, metavar="N", help="try N mutants of each folder; all without it")
    parser.add_argument("--seed", type=int, default=0, help="which sample")
    parser.add_argument(
        "--limit",
        type=float,
        default=math.inf,
        metavar="S",
        help="try tests of S seconds on each mutant, quickest first",
    )
    parser.add_argument("--results", type=Path, default=Path("runs/mutation.json"), help="file of outcomes")
    parser.add_argument("--output", type=Path, help="Markdown file in which to replace the figures and survivors")
    return parser.parse_args(arguments)


def by_folder(targets: Iterable[str]) -> dict[str, set[str]]:
    """Folders of `custom` named by the targets, and in each the files to mutate.

    Raises:
        UserError: a target is neither a folder of `custom` with tests nor a file in one.
    """
    found: dict[str, set[str]] = {}
    for target in targets:
        path = Path(target)
        folder = path.parent if path.suffix == ".py" else path
        known = folder.parent == Path("custom") and (ROOT / "tests" / folder.name).is_dir() and (ROOT / path).exists()
        if not known:
            raise UserError(f"{target}: give a folder such as custom/metrics that has tests, or a file in one")
        files = {path.as_posix()} if path.suffix == ".py" else set(sources(folder.as_posix()))
        found.setdefault(folder.as_posix(), set()).update(files)
    return found


def sources(folder: str) -> list[str]:
    """Python files of a folder, as paths from the root of the repository; without those that only export names."""
    files = sorted((ROOT / folder).rglob("*.py"))
    return [file.relative_to(ROOT).as_posix() for file in files if file.name != "__init__.py"]


def try_all(folder: str, mutants: Sequence[Mutant], outcomes: dict[str, Outcome], options: argparse.Namespace) -> None:
    """Try each mutant with the tests of the folder, print and keep its outcome."""
    if not mutants:
        return
    with tempfile.TemporaryDirectory(prefix="mutation.") as workspace:
        trials = Trials(ROOT, Path(workspace), f"tests/{Path(folder).name}", options.limit)
        print(f"{len(trials.reach.seconds)} tests take {sum(trials.reach.seconds.values()):.1f} s", flush=True)
        for number, mutant in enumerate(mutants, 1):
            start = time.monotonic()
            outcome = outcomes[mutant.digest] = trials.run(mutant)
            write_outcomes(options.results, outcomes)
            took = f"{time.monotonic() - start:.1f} s"
            print(f"[{number}/{len(mutants)}] {outcome.kind}, {took}  {mutant.file}:{mutant.line} {outcome.by}")
            if not outcome.is_killed:
                print(f"    - {mutant.before}\n    + {mutant.after}")
            sys.stdout.flush()


def read_outcomes(path: Path) -> dict[str, Outcome]:
    """Outcomes of earlier runs by digest; none if there is no such file."""
    if not path.exists():
        return {}
    return {digest: Outcome(**outcome) for digest, outcome in json.loads(path.read_text(encoding="utf-8")).items()}


def write_outcomes(path: Path, outcomes: dict[str, Outcome]) -> None:
    """Keep the outcomes for the next run."""
    with replace_file(path) as temporary:
        temporary.write_text(json.dumps({digest: asdict(outcome) for digest, outcome in outcomes.items()}, indent=1))


def write_report(path: Path, folder: str, text: str) -> None:
    """Put the figures of a folder into the report."""
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    new = replace_figures(old, folder, text)
    with replace_file(path) as temporary:
        temporary.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
