"""Pictures of a report: images and predictions as 8-bit layers for a browser."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage.measure import block_reduce

from ..classes import foreground_of

IGNORED = 2**24 - 1  # in a label layer; the largest value of three bytes
LONGEST_SIDE = 1024
CROP_SIDE = 384
MAX_CROPS = 3


@dataclass(frozen=True)
class Picture:
    """One image with its prediction, label and scores.

    Attributes:
        name: file name.
        gray: (H, W) in [0, 1]; (H, W, 3) of several channels, see `as_picture`.
        probability: (H, W) in [0, 1], of the foreground; (K, H, W) of more than two classes.
        prediction: (H, W) whole numbers, 0 background: objects, or classes.
        label: (H, W) whole numbers, 0 background, -1 ignored: objects, or classes; None without a reference.
        scores: measures by name.
    """

    name: str
    gray: NDArray
    probability: NDArray
    prediction: NDArray
    label: NDArray | None
    scores: dict[str, float]

    @property
    def foreground(self) -> NDArray:
        """Probability of foreground (H, W)."""
        return self.probability if self.probability.ndim == 2 else foreground_of(self.probability)[0]

    @property
    def valid(self) -> NDArray[np.bool_]:
        """Where the label is not ignored, (H, W)."""
        return np.ones(self.prediction.shape, bool) if self.label is None else self.label >= 0

    @property
    def wrong(self) -> NDArray[np.bool_]:
        """Where foreground of label and prediction differ, or their class if there are more than two, (H, W)."""
        if self.label is None:
            return np.zeros(self.prediction.shape, bool)
        if self.probability.ndim == 3:
            return (self.label != self.prediction) & self.valid
        return ((self.label > 0) != (self.prediction > 0)) & self.valid


def uncertainty(probability: NDArray) -> NDArray[np.float64]:
    """Entropy of the classes in bits, (H, W): 0 where the network is sure, 1 where one of two has probability 0.5.

    Args:
        probability: (H, W) of the foreground, or (K, H, W) of more than two classes.
    """
    if probability.ndim == 3:
        p = np.clip(probability.astype(np.float64), 1e-12, 1)
        return -(p * np.log2(p)).sum(axis=0)
    p = np.clip(probability.astype(np.float64), 1e-12, 1 - 1e-12)
    return -(p * np.log2(p) + (1 - p) * np.log2(1 - p))


def make_views(picture: Picture) -> list[dict[str, Any]]:
    """The whole image, reduced to at most 1024 pixels a side, and the worst places of a reduced one at full resolution.

    A view has a position in the image (``top``, ``left``, in pixels), a reduction factor ``step``, a ``height`` and a
    ``width``, and a data URI for each of its ``layers``. Gray values and probability are averaged over ``step`` x
    ``step`` pixels, label and prediction are subsampled.
    """
    height, width = picture.prediction.shape
    step = -(-max(height, width) // LONGEST_SIDE)
    views = [_view(picture, 0, 0, height, width, step)]
    if step > 1:
        views += [_view(picture, *window, 1) for window in worst_windows(picture)]
    return views


def worst_windows(picture: Picture) -> list[tuple[int, int, int, int]]:
    """Top, left, height and width of up to three tiles of 384 pixels, with the most errors (or uncertainty) first.

    Tiles without an error are left out.
    """
    cost = picture.wrong if picture.label is not None else uncertainty(picture.probability)
    tiles = block_reduce(cost.astype(np.float64), (CROP_SIDE, CROP_SIDE), np.sum)
    order = np.argsort(-tiles, axis=None, kind="stable")[:MAX_CROPS]
    windows = []
    for row, column in zip(*np.unravel_index(order, tiles.shape), strict=True):
        top, left = int(row) * CROP_SIDE, int(column) * CROP_SIDE
        if tiles[row, column] > 0:
            size = min(CROP_SIDE, cost.shape[0] - top), min(CROP_SIDE, cost.shape[1] - left)
            windows.append((top, left, *size))
    return windows


def _view(picture: Picture, top: int, left: int, height: int, width: int, step: int) -> dict[str, Any]:
    window = np.s_[top : top + height, left : left + width]
    layers = {
        "gray": _as_uri(_eight_bits(picture.gray[window], step), quality=85),
        "probability": _as_uri(_eight_bits(picture.foreground[window], step)),
        "prediction": _as_uri(_three_bytes(picture.prediction[window], step)),
    }
    if picture.label is not None:
        layers["label"] = _as_uri(_three_bytes(picture.label[window], step))
    size = {"height": -(-height // step), "width": -(-width // step)}
    return {"top": top, "left": left, "step": step, **size, "layers": layers}


def _eight_bits(plane: NDArray, step: int) -> NDArray[np.uint8]:
    if step > 1:
        pad = [(0, -side % step) for side in plane.shape[:2]] + [(0, 0)] * (plane.ndim - 2)
        plane = block_reduce(np.pad(plane, pad, mode="edge"), (step, step, 1)[: plane.ndim], np.mean)
    return np.rint(255 * np.clip(plane, 0, 1)).astype(np.uint8)


def _three_bytes(numbers: NDArray, step: int) -> NDArray[np.uint8]:
    """(H, W, 3): an integer in red (lowest byte), green and blue; ignored pixels are white."""
    numbers = numbers[::step, ::step].astype(np.int64)
    numbers = np.where(numbers < 0, IGNORED, np.minimum(numbers, IGNORED - 1))
    return np.stack([numbers & 255, numbers >> 8 & 255, numbers >> 16], axis=-1).astype(np.uint8)


def _as_uri(pixels: NDArray[np.uint8], quality: int | None = None) -> str:
    """WebP as a data URI; without `quality` every value is kept."""
    content = io.BytesIO()
    lossless = quality is None
    Image.fromarray(pixels).convert("RGB").save(content, "WEBP", lossless=lossless, quality=quality or 40, method=3)
    return "data:image/webp;base64," + base64.b64encode(content.getvalue()).decode("ascii")
