"""Make one model of several, whose probabilities it averages.

    python -m scripts.ensemble --models runs/seed1 runs/seed2 runs/seed3 --name cells_of_three --output models

OUTPUT/NAME is then a model that every command takes; it is as large, and takes as long, as its members together. They
have to agree in everything but their weights, widths and the numbers of their post-processing (threshold, smallest
cell, ...). The ensemble's numbers are the means of theirs; `scripts.tune` fits them for cells.
`inferring --save "['mask','disagreement']"` writes where the members disagree.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from custom.errors import UserError
from custom.model import MODEL_FILE, Model, Postprocessing, read_model, write_model
from custom.trained_images import RECORD

from .. import command
from ..model_options import add_authors_option, set_authors

FEWEST = 2
ALIKE: dict[str, Callable[[Model], Any]] = {
    "classes": lambda model: [(part.name, part.value) for part in model.classes],
    "class of contact": lambda model: model.contact,
    "channels": lambda model: model.channels,
    "percentiles of gray values": lambda model: [one.percentiles for one in model.gray_values_by_channel()],
    "working scale": lambda model: model.scale,
    "pixel size": lambda model: model.pixel_size,
    "orientations": lambda model: model.orientations,
    "input and output sizes": lambda model: [
        part["spatial_shape"] for group in model.network_data_format.values() for part in group.values()
    ],
    "method of finding objects": lambda model: model.postprocessing.method,
}


def combine(models: Sequence[Model], name: str) -> Model:
    """What is known of the ensemble; scores are left out, because they are of its members.

    Raises:
        UserError: fewer than two models, or models that differ in what they have to share.
    """
    if len(models) < FEWEST:
        raise UserError(f"--models: names {len(models)}; an ensemble needs {FEWEST} or more")
    first = models[0]
    for what, value in ALIKE.items():
        for other in models[1:]:
            if value(other) != value(first):
                raise UserError(
                    f"models {first.folder} and {other.folder} differ in their {what} ({value(first)}, "
                    f"{value(other)}); the members of an ensemble have to agree"
                )
    ensemble = first.model_copy(deep=True)
    ensemble.name = name
    ensemble.description = f"Mean of {len(models)} networks. {first.description}"
    ensemble.network_def = {"_target_": "Ensemble", "members": [model.network_def for model in models]}
    for field in ("authors", "copyright", "license", "data_source"):
        setattr(ensemble, field, "; ".join(dict.fromkeys(filter(None, (getattr(model, field) for model in models)))))
    ensemble.references = list(dict.fromkeys(text for model in models for text in model.references))
    ensemble.postprocessing = mean_postprocessing([model.postprocessing for model in models])
    ensemble.scores = []
    ensemble.training = training_of(models)
    return ensemble


def training_of(models: Sequence[Model]) -> dict[str, Any]:
    """What is known of the training of the ensemble: as the first member, with names and images of all.

    A member that held no image out makes the ensemble's scores as doubtful as its own.
    """
    training = {key: value for key, value in models[0].training.items() if key != RECORD}
    training["members"] = [model.name for model in models]
    held_out = [model.training["validation_images"] for model in models if "validation_images" in model.training]
    if held_out:
        training["validation_images"] = min(held_out)
    if all(RECORD in model.training for model in models):
        training[RECORD] = sorted({checksum for model in models for checksum in model.training[RECORD]})
    return training


def mean_postprocessing(members: Sequence[Postprocessing]) -> Postprocessing:
    """Settings of one method, each the mean of those of the members, which are rounded where they count pixels."""
    mean: dict[str, Any] = {
        name: statistics.mean(getattr(one, name) for one in members) for name in ("threshold", "sigma", "height")
    }
    mean |= {name: round(statistics.mean(getattr(one, name) for one in members)) for name in ("min_size", "grow")}
    return Postprocessing(
        method=members[0].method, fitted_on=f"means of the settings of {len(members)} members", **mean
    )


def weights_of(models: Sequence[Model]) -> dict[str, Tensor]:
    """The weights of all members, under the names that `Ensemble` gives them."""
    return {f"members.{index}.{name}": value for index, m in enumerate(models) for name, value in m.state().items()}


@command.entry_point("nothing was written")
def main(argv: Sequence[str] | None = None) -> int:
    """Write the ensemble of the models that the command line names."""
    parser = command.make_parser("scripts.ensemble", __doc__)
    parser.add_argument("--models", nargs="+", required=True, metavar="NAME_OR_FOLDER", help="the members")
    parser.add_argument("--name", required=True, help="of the ensemble, letters, digits and underscores")
    add_authors_option(parser)
    parser.add_argument("--output", type=Path, default=Path("models"), help="folder for the ensemble's folder")
    options = parser.parse_args(argv)
    if not options.name.isidentifier():
        raise UserError(f"--name {options.name}: use letters, digits and underscores")
    folder = options.output / options.name
    if (folder / MODEL_FILE).exists():
        raise UserError(f"{folder}: holds a model already; give another --name, or remove it first")
    models = [read_model(name) for name in options.models]
    ensemble = set_authors(combine(models, options.name), options)
    ensemble.build()  # refuses networks that cannot be members
    written = write_model(folder, ensemble, weights_of(models))
    print(f"{written.folder}: {len(models)} members, {written.weights_path().stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
