"""Options for a model: `--model NAME_OR_FOLDER`, and overrides of its settings."""

from __future__ import annotations

import argparse
from typing import Any

from pydantic import ValidationError

from custom.errors import UserError
from custom.model import Model, Postprocessing, read_model

POSTPROCESSING = {"threshold": float, "method": str, "min_size": int, "grow": int, "sigma": float, "height": float}
HELP = {
    "pixel_size": "of the images, in micrometres: scale and post-processing follow",
    "scale": "working pixels for each pixel of the image",
    "orientations": "rotated and mirrored versions to average: 1, 7 or 8",
    "threshold": "probability from which a pixel is foreground",
    "method": "components, watershed, or (of a model that learned it) contact",
    "min_size": "fewest pixels of an instance",
    "grow": "pixels by which instances grow towards close neighbours",
    "sigma": "watershed, contact: width of the smoothing in pixels",
    "height": "watershed, contact: least height of a seed above its saddle",
}


def add_model_options(parser: argparse.ArgumentParser, default: str | None = None) -> None:
    """Add `--model`, and an option for each setting of a model that can be overridden."""
    parser.add_argument(
        "--model",
        default=default,
        required=default is None,
        metavar="NAME_OR_FOLDER",
        help="a shipped model, or the folder of a training" + (f" (default: {default})" if default else ""),
    )
    group = parser.add_argument_group("overrides", "by default the model's own")
    for name, kind in {"pixel_size": float, "scale": float, "orientations": int, **POSTPROCESSING}.items():
        group.add_argument(f"--{name}", type=kind, help=HELP[name])


def add_authors_option(parser: argparse.ArgumentParser) -> None:
    """Add `--authors`, for commands that publish a model."""
    parser.add_argument("--authors", help="whose work the model is (default: the model's own)")


def model_from(options: argparse.Namespace) -> Model:
    """The model with the overrides of the command line, and its authors where the command has `--authors`.

    Raises:
        UserError: there is no such model, or an override is out of range.
    """
    return apply_overrides(read_model(options.model), options)


def apply_overrides(model: Model, options: argparse.Namespace) -> Model:
    """`model_from` for a model that is read already."""
    given: dict[str, Any] = {name: value for name in HELP if (value := getattr(options, name)) is not None}
    try:
        model = model.at_pixel_size(given.pop("pixel_size", None))
        for own in ("scale", "orientations"):
            if own in given:
                setattr(model, own, given.pop(own))
        model.postprocessing = Postprocessing(**{**model.postprocessing.model_dump(), **given})
    except ValidationError as error:
        first = error.errors()[0]
        name = first["loc"][-1]
        raise UserError(f"--{name} {first['input']}: {first['msg'][:1].lower()}{first['msg'][1:]}") from error
    model.require_method(model.postprocessing.method)
    return set_authors(model, options)


def set_authors(model: Model, options: argparse.Namespace) -> Model:
    """The model with the authors of the command line, if it has `--authors` and they are given."""
    if authors := getattr(options, "authors", None):
        model.authors, model.copyright = authors, f"Copyright (c) {authors}"
    return model
