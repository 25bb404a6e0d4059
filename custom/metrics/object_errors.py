"""Which objects a segmentation missed, split, merged or invented, by the overlap rule of the Cell Tracking Challenge.

An object *holds* another one if more than half of the other's pixels lie in it. So an object is held by one object at
most. With this, SEG's rule reads: a reference object is found if a predicted object holds it.

- **missed**: a reference object that no predicted object holds, and that is not split;
- **split**: a reference object that holds two or more predicted objects;
- **merged**: a predicted object that holds two or more reference objects;
- **invented**: a predicted object that holds no reference object and is held by none.

Exactly half is not enough: an object cut into two equal halves is split, since it holds both, and an object of which
half was found is missed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .rand import overlaps

ErrorKind = Literal["missed", "split", "merged", "invented"]
KINDS: tuple[ErrorKind, ...] = get_args(ErrorKind)


@dataclass(frozen=True)
class ObjectError:
    """One missed, split, merged or invented object.

    Attributes:
        kind: what happened to it.
        labels: reference objects concerned, by their values in the label; none if it is invented.
        predictions: predicted objects concerned, likewise; none if it is missed.
        box: first row, first column, last row + 1 and last column + 1 of all of them together.
        pixels: size of the object that has the error: the reference object if it is missed or split, else the
            predicted one.
    """

    kind: ErrorKind
    labels: tuple[int, ...]
    predictions: tuple[int, ...]
    box: tuple[int, int, int, int]
    pixels: int


def object_errors(label: NDArray, prediction: NDArray, valid: NDArray | None = None) -> list[ObjectError]:
    """All errors of one image, in the order of `KINDS`, the largest object of a kind first.

    Args:
        label: (H, W) whole numbers, reference objects > 0.
        prediction: (H, W) whole numbers, predicted objects > 0.
        valid: (H, W) boolean; where it is false, pixels are taken from both kinds of objects.

    Raises:
        ValueError: the shapes differ.
    """
    if label.shape != prediction.shape:
        raise ValueError(f"label is {label.shape}, prediction is {prediction.shape}: give equal shapes")
    reference, predicted = _Objects(label, valid), _Objects(prediction, valid)
    r, p, both = overlaps(reference.index, predicted.index)
    inside = (r > 0) & (p > 0)
    r, p, both = r[inside], p[inside], both[inside]
    p_holds_r, r_holds_p = 2 * both > reference.sizes[r], 2 * both > predicted.sizes[p]

    def partners(of: NDArray, those: NDArray, pair: NDArray) -> dict[int, list[int]]:
        held: dict[int, list[int]] = {}
        for one, other in zip(of[pair].tolist(), those[pair].tolist(), strict=True):
            held.setdefault(one, []).append(other)
        return held

    pieces, contents = partners(r, p, r_holds_p), partners(p, r, p_holds_r)
    split = {one: parts for one, parts in pieces.items() if len(parts) > 1}
    merged = {one: parts for one, parts in contents.items() if len(parts) > 1}
    missed = set(range(1, len(reference.sizes))) - set(r[p_holds_r].tolist()) - set(split)
    invented = set(range(1, len(predicted.sizes))) - set(p[p_holds_r | r_holds_p].tolist())
    found: dict[ErrorKind, list[tuple[list[int], list[int]]]] = {
        "missed": [([one], []) for one in missed],
        "split": [([one], parts) for one, parts in split.items()],
        "merged": [(parts, [one]) for one, parts in merged.items()],
        "invented": [([], [one]) for one in invented],
    }
    return [
        error
        for kind in KINDS
        for error in sorted(
            (_error(kind, reference, predicted, *numbers) for numbers in found[kind]),
            key=lambda error: (-error.pixels, error.box),
        )
    ]


class _Objects:
    """The objects of an image numbered 1, 2, ... in the order of their values, with sizes, values and boxes."""

    def __init__(self, image: NDArray, valid: NDArray | None) -> None:
        image = np.where(image > 0, image, 0)
        values, index = np.unique(image if valid is None else np.where(valid, image, 0), return_inverse=True)
        if values[0] != 0:  # no background: number 0 is reserved for it nevertheless
            values, index = np.insert(values, 0, 0), index + 1
        self.index = index.reshape(image.shape)
        self.values = values
        self.sizes = np.bincount(self.index.ravel(), minlength=len(values))
        self.slices = ndimage.find_objects(self.index)


def _error(
    kind: ErrorKind, reference: _Objects, predicted: _Objects, labels: list[int], predictions: list[int]
) -> ObjectError:
    slices = [reference.slices[one - 1] for one in labels] + [predicted.slices[one - 1] for one in predictions]
    starts = np.min([[rows.start, columns.start] for rows, columns in slices], axis=0)
    stops = np.max([[rows.stop, columns.stop] for rows, columns in slices], axis=0)
    sizes = reference.sizes[labels] if kind in ("missed", "split") else predicted.sizes[predictions]
    return ObjectError(
        kind,
        tuple(reference.values[labels].tolist()),
        tuple(predicted.values[predictions].tolist()),
        (int(starts[0]), int(starts[1]), int(stops[0]), int(stops[1])),
        int(sizes.sum()),
    )
