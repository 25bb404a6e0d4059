"""Fit a model's post-processing to held-out images: method, threshold, watershed, smallest cell, regrowing.

    python -m scripts.tune --model dic_hela --dataset data/hela --output runs/tune_hela [--save]

Each image is predicted once. The best setting by SEG is chosen on all images, the middle one of those that are nearly
as good; how good such a choice is on an image it was not made on is estimated by leaving out one image at a time.
OUTPUT gets tune.json, tune.md and tune.png. With --save the setting and its SEG go into the model's model.json, too.
"""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from custom.classes import foreground_of
from custom.data import read_dataset
from custom.errors import UserError
from custom.evaluation import require_fitting_data
from custom.files import require_writable
from custom.inferers.orientations import in_words
from custom.model import Model, Postprocessing, Score, read_model, update_model
from custom.segmenter import Segmenter
from custom.trained_images import warn_of_trained_images
from custom.wording import counted

from .. import command
from ..held_out import add_held_out_options, read_examples
from ..model_options import add_model_options, model_from
from .report import Outcome, run_search, write_report
from .search import METHODS, Search, Setting


def make_parser() -> command.Parser:
    """The command line."""
    parser = command.make_parser("scripts.tune", __doc__)
    add_model_options(parser)
    add_held_out_options(parser)
    parser.add_argument(
        "--methods", nargs="+", choices=METHODS, help="to choose from (default: all that the model can be used with)"
    )
    parser.add_argument("--output", type=Path, default=Path("runs/tune"), help="folder of table and picture")
    parser.add_argument("--save", action="store_true", help="write the best setting and its SEG into model.json")
    return parser


@command.entry_point("run the command again")
def main(argv: Sequence[str] | None = None) -> int:
    """Command line; 0 when the report was written, 2 for bad input."""
    given = make_parser().parse_args(argv)
    model = model_from(given)
    for method in given.methods or []:
        model.require_method(method)
    data = read_dataset(given.dataset, check=False)
    require_fitting_data(model, data)
    if data.label_format.kind != "instances":
        raise UserError(
            f"{given.dataset}: its labels are classes, of which there is no SEG; give one of numbered cells"
        )
    # SEG does not depend on images without a cell, and without the others none could be fitted.
    examples = [example for example in read_examples(given.dataset, given.split) if example.has_cells]
    if not examples:
        raise UserError(f"{given.dataset}: has no labelled cells in `{given.split}`; there is nothing to fit")
    if len(examples) < 2:
        warnings.warn(
            f"{given.dataset}: a single image with cells in `{given.split}`: what the fitted setting is worth on "
            "another image cannot be estimated",
            stacklevel=2,
        )
    trained = warn_of_trained_images(model, data, given.split)
    require_writable(given.output)
    if given.save:
        assert model.folder is not None
        require_writable(model.folder)
    segmenter, rule = Segmenter(model), model.gray_rule()
    planes = (rule.planes(example.pixels, example.name) for example in examples)
    maps = [segmenter.maps(one) for one in planes]
    probabilities = [foreground_of(prediction)[0] for prediction, _ in maps]
    contacts = [contact[0] for _, contact in maps if contact is not None]
    instances = [example.instances for example in examples if example.instances is not None]
    search = Search(probabilities, instances, setting_of(model), contacts or None, given.methods)
    outcome = run_search(search, [example.name for example in examples])
    write_report(outcome, search, given.output)
    print((given.output / "tune.md").read_text(encoding="utf-8"))
    if given.save:
        saved = read_model(given.model)
        if saved.weights != model.weights:
            raise UserError(f"{saved.folder}: got other weights meanwhile; nothing was saved, run the command again")
        saved.scale, saved.pixel_size = model.scale, model.pixel_size  # which the setting was fitted at
        images = f"{counted(len(examples), f'{given.split} image')} of {data.about['name']}"
        if trained:
            images += ", trained on"
        save_outcome(outcome, saved, images, model.orientations)
        print(f"saved in {saved.folder}")
    return 0


def save_outcome(outcome: Outcome, model: Model, images: str, orientations: int) -> None:
    """Write the best setting into `model`'s file, and SEG in place of an earlier SEG."""
    model.postprocessing = Postprocessing(**asdict(outcome.best[0]), fitted_on=images)
    passes = in_words(orientations)
    values = {
        f"{images}, {passes}; post-processing fitted on them": outcome.best[1],
        f"{images}, {passes}; post-processing fitted on the others of them": outcome.cross_validated,
    }
    scores = [Score(measure="seg", value=value, on=on) for on, value in values.items() if not math.isnan(value)]
    model.scores = scores + [score for score in model.scores if score.measure != "seg"]
    update_model(model)


def setting_of(model: Model) -> Setting:
    """The model's own post-processing."""
    return Setting(**model.postprocessing.model_dump(exclude={"fitted_on"}))


if __name__ == "__main__":
    sys.exit(main())
