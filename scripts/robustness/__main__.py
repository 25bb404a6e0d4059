"""Measure how a model's score changes on held-out images under nine perturbations at five strengths.

    python -m scripts.robustness --model dic_hela --dataset data/hela --output runs/robustness_hela

Changes are magnification (both ways), blur, noise, gamma (both ways), uneven light, contrast and JPEG, of each channel
alike. The score is SEG where the data set labels cells, else 1 - pixel error, the mean over more than two classes.
OUTPUT gets robustness.json, robustness.md and robustness.png.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from custom.data import read_dataset
from custom.errors import UserError
from custom.evaluation import require_fitting_data
from custom.files import require_writable
from custom.segmenter import Segmenter
from custom.trained_images import warn_of_trained_images

from .. import command
from ..held_out import add_held_out_options, read_examples
from ..model_options import add_model_options, model_from
from .measure import Judge, measure, write_report
from .perturbations import PERTURBATIONS


def make_parser() -> command.Parser:
    """The command line."""
    parser = command.make_parser("scripts.robustness", __doc__)
    add_model_options(parser)
    add_held_out_options(parser)
    parser.add_argument("--output", type=Path, default=Path("runs/robustness"), help="folder of table and plot")
    return parser


@command.entry_point("run the command again")
def main(argv: Sequence[str] | None = None) -> int:
    """Command line; 0 when the report was written, 2 for bad input."""
    given = make_parser().parse_args(argv)
    model = model_from(given)
    examples = read_examples(given.dataset, given.split)
    if examples[0].instances is not None and not any(example.has_cells for example in examples):
        raise UserError(f"{given.dataset}: has no labelled cells in `{given.split}`; there is no SEG to measure")
    require_writable(given.output)
    data = read_dataset(given.dataset, check=False)
    require_fitting_data(model, data)
    warn_of_trained_images(model, data, given.split)
    segmenter = Segmenter(model)
    judge = Judge(segmenter.prediction, model.gray_rule().planes, segmenter.cells)
    plain, shifts = measure(judge, examples, PERTURBATIONS)
    name = "1 - pixel error" if examples[0].instances is None else "SEG"
    if plain == 0:
        raise UserError(
            f"--model {given.model}: scores 0 on the unchanged images of {given.dataset}, so that there is nothing to "
            "lose; give a model of such images"
        )
    write_report(name, plain, shifts, given.output)
    print((given.output / "robustness.md").read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
