"""Images that two splits share, or nearly share."""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ..errors import UserError

Items = Mapping[str, Sequence[Mapping[str, Any]]]


def content_of(image: NDArray) -> str | None:
    """Checksum of the pixels, whatever the file format; None for a constant image, which may rightly occur twice."""
    if (image == image.flat[0]).all():
        return None
    pixels = image.astype(image.dtype.newbyteorder("<"), copy=False)
    return hashlib.sha256(f"{pixels.shape} {pixels.dtype.str}".encode() + pixels.tobytes()).hexdigest()


def refuse_shared(splits: Items, contents: Mapping[str, str | None], path: Path) -> None:
    """Raise UserError if a validation or test image is also trained on.

    Args:
        splits: items with the path of an `image`, of each split.
        contents: `content_of` images by path; a path that is missing counts by its name alone.
        path: the `dataset.json`, for the message.
    """
    trained: dict[str, str] = {}
    for item in splits["training"]:
        for key in _keys(item, contents):
            trained[key] = item["image"]
    for split in ("validation", "test"):
        for item in splits[split]:
            shared = next((trained[key] for key in _keys(item, contents) if key in trained), None)
            if shared is not None:
                raise UserError(
                    f"{path}: {split} image {item['image']} has the same pixels as training image {shared}; scores "
                    "would mean nothing: keep it in one list"
                )


def _keys(item: Mapping[str, Any], contents: Mapping[str, str | None]) -> list[str]:
    content = contents.get(item["image"])
    return [str(Path(item["image"]).resolve()), *([] if content is None else [content])]


def warn_of_neighbours(splits: Items) -> None:
    """Warn if consecutive names alternate between training and validation, unless validation is one contiguous block.

    Neighbouring sections of a stack and frames of a film resemble each other, so that scores would be too optimistic.
    """
    series: dict[tuple[str, str], dict[int, tuple[str, str]]] = {}
    for split in ("training", "validation"):
        for item in splits[split]:
            name, number = split_number(Path(item["image"]).stem)
            if number is not None:
                parent = str(Path(item["image"]).parent)
                series.setdefault((parent, name), {})[number] = (split, Path(item["image"]).name)
    for members in series.values():
        borders = [
            (members[number], members[number + 1])
            for number in sorted(members)
            if number + 1 in members and members[number][0] != members[number + 1][0]
        ]
        if len(borders) > 2:
            (_, one), (_, other) = borders[0]
            warnings.warn(
                f"{one} and {other}, and {len(borders) - 1} more neighbours by name, are in training and validation; "
                "if they are sections of a stack or frames of a film, hold out a block of them instead",
                stacklevel=3,
            )


def split_number(stem: str) -> tuple[str, int | None]:
    """A name without its last number, and that number, None if it has none.

    >>> split_number("cell_007_raw")
    ('cell_#_raw', 7)
    """
    match = re.search(r"\d+(?=\D*$)", stem)
    if match is None:
        return stem, None
    return f"{stem[: match.start()]}#{stem[match.end() :]}", int(match[0])
