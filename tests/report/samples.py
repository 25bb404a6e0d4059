"""Small pictures with known errors."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from custom.report.content import ImageTable
from custom.report.layers import Picture


def make_picture(name: str = "a.png", shift: int = 0, labelled: bool = True, **scores: float) -> Picture:
    """Two cells, 60 x 90 pixels; `shift` moves the prediction to the right, 30 and more pixels lose a cell."""
    label = np.zeros((60, 90), np.int64)
    label[10:30, 5:25], label[35:55, 20:40] = 1, 7
    label[:, 85:] = -1
    prediction = np.roll(np.maximum(label, 0), shift, axis=1)
    gray = np.linspace(0, 1, label.size).reshape(label.shape)
    probability = np.where(prediction > 0, 0.95, 0.05)
    return Picture(name, gray, probability, prediction, label if labelled else None, scores)


def make_table(*pictures: Picture, objects: bool = True) -> ImageTable:
    """A table of the pictures, or of one good and one bad."""
    table = ImageTable(objects)
    for picture in pictures or (make_picture("good.png", 1, seg=0.9), make_picture("bad.png", 30, seg=0.2)):
        table.add(picture)
    return table


def decode(uri: str) -> np.ndarray:
    """Pixels (H, W, 3) of a layer, as a browser has them."""
    kind, _, content = uri.partition(",")
    assert kind == "data:image/webp;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content)))).astype(np.int64)


def numbers(uri: str) -> np.ndarray:
    """The whole numbers (H, W) of a layer of objects."""
    return decode(uri) @ np.array([1, 256, 65536])
