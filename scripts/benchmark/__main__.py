"""Compare each part with its alternatives, check that the results agree, and write a report.

python -m scripts.benchmark [--only augmentation weight_map inference volume training] [--quick] [--output docs]
python -m scripts.benchmark --only race --minutes 10 30 --environments FOLDER [--candidates "ours, quick"]

The race is not run unless named: it trains each candidate for the given minutes. The peers' virtual environments are
FOLDER/NAME; `docs/benchmark.md` says what to install in each. With `--candidates` the others keep their earlier
results. Parts of an earlier report that are not measured again are kept, if it is of the same machine and packages.
"""

from __future__ import annotations

import json
import logging
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import psutil

from custom.errors import UserError
from custom.files import require_writable, temporary_folder
from custom.json_file import read_json

from .. import command
from . import augmentation, inference, training, volume, weight_map
from .machine import describe
from .race import part as race
from .race.candidates import CANDIDATES
from .race.course import Settings
from .report import draw, to_markdown, write_text
from .results import MISSING, Part
from .sizes import QUICK, Sizes

PARTS: dict[str, Callable[[Sizes], Part]] = {
    "augmentation": augmentation.run,
    "weight_map": weight_map.run,
    "inference": inference.run,
    "volume": volume.run,
    "training": training.run,
}
RACE = "race"
Measure = Callable[[Part | None], Part]
DEFAULT = Sizes()


def benchmark(parts: dict[str, Measure], shortened: bool, output: Path) -> list[Part]:
    """Run the parts, each given its earlier result; after each, write `benchmark.json`, `benchmark.md` and
    `benchmark.png` into `output`.

    Raises:
        UserError: the folder or that of temporary files cannot be written, or its earlier report is damaged; before
            anything is measured.
    """
    require_writable(output)
    with temporary_folder():
        pass
    machine, kept = earlier(output / "benchmark.json", describe(), shortened)
    done: list[Part] = []
    for name, measure in parts.items():
        print(f"{name} ...", flush=True)
        load = psutil.getloadavg()[0]
        done.append(replace(measure(kept.get(name)), load=load))
        found = {**dict.fromkeys([*PARTS, RACE]), **kept, **{part.name: part for part in done}}
        write_report(machine, [part for part in found.values() if part], shortened, output)
    print((output / "benchmark.md").read_text(encoding="utf-8"))
    return done


def earlier(path: Path, machine: dict[str, str], shortened: bool) -> tuple[dict[str, str], dict[str, Part]]:
    """Machine and parts of an earlier report, if it is of this machine, with these packages and sizes.

    Packages that are not installed now may have been then.
    """
    if not path.exists():
        return machine, {}
    content = read_json(path)
    installed = {text for text in machine["packages"].split(", ") if not text.endswith(MISSING)}
    try:
        before = content["machine"]
        same = (
            all(before.get(key) == machine[key] for key in ("processor", "GPU")) and content["shortened"] == shortened
        )
        same = same and installed <= set(before["packages"].split(", "))
        parts = {plain["name"]: Part.from_json(plain) for plain in content["parts"]}
    except (LookupError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: is not a report of the benchmark ({error}); delete it to write a new one") from error
    return (before, parts) if same else (machine, {})


def measured_again(part: Callable[[Sizes], Part], sizes: Sizes) -> Measure:
    """A part that replaces its earlier result as a whole."""
    return lambda _: part(sizes)


def write_report(machine: dict[str, str], parts: list[Part], shortened: bool, output: Path) -> None:
    content = {"machine": machine, "shortened": shortened, "parts": [part.to_json() for part in parts]}
    write_text(output / "benchmark.json", json.dumps(content, indent=1) + "\n")
    write_text(output / "benchmark.md", to_markdown(machine, parts, shortened))
    draw(parts, output / "benchmark.png")


def make_parser() -> command.Parser:
    """The command line."""
    parser = command.make_parser("scripts.benchmark", __doc__)
    names = [*PARTS, RACE]
    parser.add_argument(
        "--only", nargs="+", choices=names, default=list(PARTS), metavar="PART", help="parts to measure"
    )
    parser.add_argument("--quick", action="store_true", help="smaller sizes and fewer rounds, to test the benchmark")
    parser.add_argument("--output", type=Path, default=Path("docs"), help="folder of the report")
    of_race = parser.add_argument_group("race")
    of_race.add_argument(
        "--minutes", type=float, nargs="+", default=[10.0], help="budgets, minutes of processor time on two cores"
    )
    of_race.add_argument(*command.DATASET, type=Path, default=Path("data/isbi2012"), help="prepared data set")
    of_race.add_argument("--race_folder", type=Path, default=Path("runs/race"), help="keeps what was predicted")
    of_race.add_argument(
        "--candidates", nargs="+", choices=[one.name for one in CANDIDATES], metavar="NAME", help="who races (all)"
    )
    of_race.add_argument("--environments", type=Path, metavar="FOLDER", help="the peers' virtual environments")
    return parser


@command.entry_point("the report contains the parts that were finished")
def main(argv: Sequence[str] | None = None) -> int:
    """Command line; 0 if all results agree, 1 if a check failed (missed speeds do not count)."""
    given = make_parser().parse_args(argv)
    mpl.use("Agg")
    logging.disable(logging.INFO)
    warnings.filterwarnings("ignore")
    sizes = QUICK if given.quick else DEFAULT
    settings = Settings(given.dataset, given.race_folder, given.minutes, given.environments)
    measures: dict[str, Measure] = {name: measured_again(PARTS[name], sizes) for name in given.only if name != RACE}
    if RACE in given.only:
        racing = given.candidates or ()
        measures[RACE] = lambda earlier: race.run(settings, given.output, earlier=earlier, racing=racing)
    parts = benchmark(measures, given.quick, given.output)
    return 0 if all(check.met for part in parts for check in part.checks) else command.SOME_FAILED


if __name__ == "__main__":
    sys.exit(main())
