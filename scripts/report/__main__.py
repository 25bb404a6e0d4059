"""One figure of a run: its worst, median and best image with label, probability, mask and errors; learning curve.

python -m scripts.report --run runs/quick --dataset_dir data/synthetic --segmentations runs/quick/segmentations
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import matplotlib as mpl

from custom.errors import UserError

from .figure import draw_report


def main(argv: list[str] | None = None) -> int:
    """Command line; 0 when the figure was written, 2 for bad input."""
    parser = argparse.ArgumentParser(prog="python -m scripts.report", description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="output folder of training and evaluation")
    parser.add_argument("--dataset_dir", type=Path, required=True, help="folder with dataset.json")
    parser.add_argument("--segmentations", type=Path, required=True, help="output folder of inference")
    parser.add_argument("--split", default="test", choices=("training", "validation", "test"))
    parser.add_argument("--output", type=Path, help="PNG file (default: RUN/report.png)")
    given = parser.parse_args(argv)
    output = given.output or given.run / "report.png"
    mpl.use("Agg")
    try:
        draw_report(given.run, given.dataset_dir, given.segmentations, given.split, output)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"figure: {output.resolve()}")
    print(f"model:  {(given.run / 'model.pt').resolve()}")
    print(f"masks, probabilities, instances: {given.segmentations.resolve()}")
    print(f"scores: {(given.run / 'evaluation').resolve()}; curves: tensorboard --logdir {given.run}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
