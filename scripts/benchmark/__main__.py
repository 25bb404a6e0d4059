"""Compare each part with its alternatives, check that the results agree, and write a report.

python -m scripts.benchmark [--only augmentation weight_map inference volume training] [--quick] [--output docs]
"""

from __future__ import annotations

import json
import logging
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib as mpl

from .. import command
from . import augmentation, inference, training, volume, weight_map
from .machine import describe
from .report import draw, to_markdown, write_text
from .results import Part
from .sizes import QUICK, Sizes

PARTS: dict[str, Callable[[Sizes], Part]] = {
    "augmentation": augmentation.run,
    "weight_map": weight_map.run,
    "inference": inference.run,
    "volume": volume.run,
    "training": training.run,
}


DEFAULT = Sizes()


def benchmark(names: list[str], sizes: Sizes, output: Path) -> list[Part]:
    """Run the parts; after each, write `benchmark.json`, `benchmark.md` and `benchmark.png` into `output`."""
    machine = describe()
    parts: list[Part] = []
    for name in names:
        print(f"{name} ...", file=sys.stderr, flush=True)
        parts.append(PARTS[name](sizes))
        write_report(machine, parts, sizes is not DEFAULT, output)
    print((output / "benchmark.md").read_text(encoding="utf-8"))
    return parts


def write_report(machine: dict[str, str], parts: list[Part], shortened: bool, output: Path) -> None:
    content = {"machine": machine, "shortened": shortened, "parts": [part.to_json() for part in parts]}
    write_text(output / "benchmark.json", json.dumps(content, indent=1) + "\n")
    write_text(output / "benchmark.md", to_markdown(machine, parts, shortened))
    draw(parts, output / "benchmark.png")


@command.entry_point("the report contains the parts that were finished")
def main(argv: Sequence[str] | None = None) -> int:
    """Command line; 0 if all results agree, 1 if a check failed (missed speeds do not count)."""
    parser = command.make_parser("scripts.benchmark", __doc__)
    parser.add_argument(
        "--only", nargs="+", choices=list(PARTS), default=list(PARTS), metavar="PART", help="parts to measure"
    )
    parser.add_argument("--quick", action="store_true", help="smaller sizes and fewer rounds, to test the benchmark")
    parser.add_argument("--output", type=Path, default=Path("docs"), help="folder of the report")
    given = parser.parse_args(argv)
    mpl.use("Agg")
    logging.disable(logging.INFO)
    warnings.filterwarnings("ignore")
    parts = benchmark(given.only, QUICK if given.quick else DEFAULT, given.output)
    return 0 if all(check.met for part in parts for check in part.checks) else command.SOME_FAILED


if __name__ == "__main__":
    sys.exit(main())
