"""Copy a model in half precision, half the size, under another name.

    python -m scripts.ship_model --model runs/mine --name cells_of_our_lab --authors "A. Person" --output models

OUTPUT/NAME is a model for all commands, to share or to keep beside the shipped ones in bundle/models. A model that was
trained on all images takes post-processing and scores from one of the same training that held some out:

    python -m scripts.ship_model --model runs/all --measured_by runs/fold --name cells_of_our_lab
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from custom.errors import UserError
from custom.model import MODEL_FILE, Model, read_model, write_model

from .. import command
from ..model_options import add_authors_option, add_model_options, apply_overrides

ZOOM = 1.3  # either way, in training; `scripts.tune --scale` may have found another scale within it


def take_measurements(model: Model, fold: Model) -> None:
    """Give `model` what was found by `fold`, a model of the same training with images held out: post-processing, the
    scale that it was fitted at, and scores.

    Raises:
        UserError: `fold` has other classes, a working scale beyond the zoom of a training, or no scores.
    """
    same_outputs = (fold.classes, fold.contact) == (model.classes, model.contact)
    if not same_outputs or not 1 / ZOOM <= fold.scale / model.scale <= ZOOM:
        raise UserError(f"--measured_by {fold.folder}: has other classes or quite another scale than {model.folder}")
    if not fold.scores:
        raise UserError(f"--measured_by {fold.folder}: has no scores; give a model that was validated")
    model.postprocessing, model.scale = fold.postprocessing, fold.scale
    origin = f"by {fold.name} {fold.version}, the same training without these images"
    model.scores = [score.model_copy(update={"on": f"{score.on}; {origin}"}) for score in fold.scores]


def ship(model: Model, folder: Path) -> Model:
    """Write `model` into a new folder with its weights as float16; returns the model as written.

    Raises:
        UserError: the folder holds a model already, or the weights overflow float16.
    """
    if (folder / MODEL_FILE).exists():
        raise UserError(f"{folder}: holds a model already; give another --name, or remove it first")
    halved = {name: value.half() for name, value in model.state().items()}
    overflown = [name for name, value in halved.items() if not value.isfinite().all()]
    if overflown:
        raise UserError(f"{model.weights_path()}: {overflown[0]} has values beyond the range of half precision")
    return write_model(folder, model, halved)


@command.entry_point("nothing was written")
def main(argv: Sequence[str] | None = None) -> int:
    """Copy the model that the command line names."""
    parser = command.make_parser("scripts.ship_model", __doc__)
    add_model_options(parser)
    parser.add_argument("--name", required=True, help="of the copy, letters, digits and underscores")
    add_authors_option(parser)
    parser.add_argument("--description", help="in a sentence (default: the model's own)")
    parser.add_argument(
        "--measured_by",
        metavar="NAME_OR_FOLDER",
        help="take post-processing and scores from this model, trained alike with images held out",
    )
    parser.add_argument("--output", type=Path, default=Path("models"), help="folder for the model's folder")
    options = parser.parse_args(argv)
    if not options.name.isidentifier():
        raise UserError(f"--name {options.name}: use letters, digits and underscores")
    model = read_model(options.model)
    if options.measured_by is not None:
        take_measurements(model, read_model(options.measured_by))
    model = apply_overrides(model, options)
    model.name = options.name
    model.description = options.description or model.description
    shipped = ship(model, options.output / options.name)
    print(f"{shipped.folder}: {shipped.weights_path().stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
