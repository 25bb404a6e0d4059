"""Measure every part against what else could do its work, check that the results agree, and write a report.

python -m scripts.benchmark [--only augmentation weight_map inference training] [--quick] [--out docs]
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl

from custom.errors import UserError

from . import augmentation, inference, training, weight_map
from .machine import describe
from .report import draw, to_markdown, write_text
from .results import Part
from .sizes import QUICK, Sizes

PARTS: dict[str, Callable[[Sizes], Part]] = {
    "augmentation": augmentation.run,
    "weight_map": weight_map.run,
    "inference": inference.run,
    "training": training.run,
}


DEFAULT = Sizes()


def benchmark(names: list[str], sizes: Sizes, out: Path) -> list[Part]:
    """Run the parts; after each, write `benchmark.json`, `benchmark.md` and `benchmark.png` into `out`."""
    machine = describe()
    parts: list[Part] = []
    for name in names:
        print(f"{name} ...", file=sys.stderr, flush=True)
        parts.append(PARTS[name](sizes))
        write_report(machine, parts, sizes is not DEFAULT, out)
    print((out / "benchmark.md").read_text(encoding="utf-8"))
    return parts


def write_report(machine: dict[str, str], parts: list[Part], shortened: bool, out: Path) -> None:
    content = {"machine": machine, "shortened": shortened, "parts": [part.to_json() for part in parts]}
    write_text(out / "benchmark.json", json.dumps(content, indent=1) + "\n")
    write_text(out / "benchmark.md", to_markdown(machine, parts, shortened))
    draw(parts, out / "benchmark.png")


def main(argv: list[str] | None = None) -> int:
    """Command line; 0 if all results agree, 1 if a check failed (a slow machine is no failure), 2 for bad input."""
    parser = argparse.ArgumentParser(prog="python -m scripts.benchmark", description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS), metavar="PART")
    parser.add_argument("--quick", action="store_true", help="smaller sizes and fewer rounds, to see that it runs")
    parser.add_argument("--out", type=Path, default=Path("docs"), help="folder of the report (default: docs)")
    given = parser.parse_args(argv)
    mpl.use("Agg")
    logging.disable(logging.INFO)
    warnings.filterwarnings("ignore")
    try:
        parts = benchmark(given.only, QUICK if given.quick else DEFAULT, given.out)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0 if all(check.met for part in parts for check in part.checks) else 1


if __name__ == "__main__":
    sys.exit(main())
