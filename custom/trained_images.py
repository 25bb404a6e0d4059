"""Which images a model was trained on: it keeps checksums of their pixels, so that scores on them are recognised."""

from __future__ import annotations

import warnings

from .data.datalist import Datalist
from .model import Model

RECORD = "image_checksums"
"""Key of `Model.training`."""
_DIGITS = 12  # of SHA-256; two of a million images have the same by a chance of 1 in 500


def record(data: Datalist, initial: Model | None) -> list[str]:
    """Checksums of the images that a model is trained on, and of those that the model it starts from was trained on.

    A constant image has none. If nothing is known of the initial model's images, neither are they listed.
    """
    before = [] if initial is None else initial.training.get(RECORD, [])
    return sorted({*before, *_checksums(data, "training")})


def warn_of_trained_images(model: Model, data: Datalist, split: str) -> bool:
    """Warn if a model is to be scored on images that it was trained on.

    Args:
        model: if it has no record of its images, as models of earlier versions, and held out none, it counts as trained
            on the training and validation images of any data set of the name of its own.
        data: a data set.
        split: its list. Who scores training images knows it, so that there is no warning.

    Returns:
        Whether there was a warning.
    """
    if split == "training":
        return False
    if RECORD in model.training:
        count = len(set(model.training[RECORD]) & set(_checksums(data, split)))
        which = f"was trained on {count} of the {len(getattr(data, split))} {split} images" if count else None
    else:
        final = model.training.get("validation_images") == 0 and data.about["name"] in model.data_source
        which = f"held out no image of {model.data_source}" if final and split == "validation" else None
    if which is not None:
        warnings.warn(
            f"model {model.name} {which}: scores on images that it was trained on do not show how it does on others",
            stacklevel=3,
        )
    return which is not None


def _checksums(data: Datalist, split: str) -> list[str]:
    return [content[:_DIGITS] for content in data.contents_of(split) if content is not None]
