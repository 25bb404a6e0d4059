"""Average a prediction over rotated and mirrored versions of the image (paper section 3)."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import UserError

# (quarter turns, mirrored first): the four rotations, then the four rotations of the mirrored image. The paper averages
# "7 rotated versions" and does not say which; here 7 leaves out the last of the eight.
DIHEDRAL = tuple((turns, mirrored) for mirrored in (False, True) for turns in range(4))


def in_words(orientations: int) -> str:
    """How many versions of an image a score is of."""
    return "one pass" if orientations == 1 else f"mean of {orientations} orientations"


def orient(x: Tensor, turns: int, mirrored: bool) -> Tensor:
    """Mirror (..., H, W) left to right if asked, then turn it by quarter turns; an odd number swaps H and W."""
    return torch.rot90(x.flip(-1) if mirrored else x, turns, (-2, -1))


def restore(x: Tensor, turns: int, mirrored: bool) -> Tensor:
    """Undo :func:`orient`."""
    x = torch.rot90(x, -turns, (-2, -1))
    return x.flip(-1) if mirrored else x


def reversed_axes(turns: int, mirrored: bool) -> tuple[bool, bool]:
    """Whether :func:`orient` reads the rows, and the columns, of an image from their end."""
    return turns in (2, 3), (turns in (1, 2)) != mirrored


def trim(x: Tensor, count: tuple[int, int], first: tuple[bool, bool]) -> Tensor:
    """(..., H, W) without `count` rows and columns: the first ones of an axis where `first` is true, else the last."""
    for axis, n, from_start in zip((-2, -1), count, first, strict=True):
        x = x.narrow(axis, n if from_start else 0, x.shape[axis] - n)
    return x


def batches(count: int, together: bool) -> list[list[tuple[int, bool]]]:
    """The first `count` orientations: one by one, or in two batches, those that keep height and width and the rest."""
    versions = DIHEDRAL[:count]
    if not together:
        return [[version] for version in versions]
    return [[version for version in versions if version[0] % 2 == odd] for odd in (0, 1)]


def turned(x: Tensor, shift: tuple[int, int], version: tuple[int, bool]) -> Tensor:
    """An orientation of (..., H, W) without the `shift` rows and columns that it omits (see `average_orientations`)."""
    rows, columns = reversed_axes(*version)
    return orient(trim(x, shift, (not rows, not columns)), *version)


def average_orientations(
    predict: Callable[[Tensor], Tensor],
    x: Tensor,
    count: int,
    shift: tuple[int, int] = (0, 0),
    together: bool = False,
) -> Tensor:
    """Mean class probability over the first `count` orientations of `x`, as a logarithm.

    The result serves as logits: its soft-max is exactly the mean of the soft-maxes, since the means sum to 1.

    Args:
        predict: maps images (B, C, h, w) of any orientation to float32 logits (B, K, ...) of the same orientation,
            smaller by the same number of pixels on all sides.
        x: images (B, C, H, W).
        count: 1 (the logits as they are), 7 or 8.
        shift: rows and columns that `x` has more than the input of `predict`, H - h and W - w. Orientations that read
            an axis from its end omit the last ones, the others the first; the pixels that all predict are kept. See
            `AxisTiling`.
        together: give `predict` up to 4 orientations as one batch, which is faster for small tiles.

    Returns:
        (B, K, ...), float32.

    Raises:
        UserError: `predict` returns one channel, whose soft-max is 1 everywhere.
    """
    if count == 1:
        return predict(x)
    total: Tensor | None = None
    for versions in batches(count, together):
        predicted = predict(torch.cat([turned(x, shift, version) for version in versions])).chunk(len(versions))
        for version, logits in zip(versions, predicted, strict=True):
            if logits.shape[1] == 1:
                raise UserError("orientations averages soft-max probabilities, but the network has one channel: give 1")
            kept = trim(restore(logits, *version), shift, reversed_axes(*version))
            log_probability = F.log_softmax(kept, dim=1)
            total = log_probability if total is None else torch.logaddexp(total, log_probability)
    assert total is not None
    return total - math.log(count)
