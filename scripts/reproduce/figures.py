"""Figures of the table: the curves of all runs, and a held-out image of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from custom.constants import IGNORED
from custom.data import LoadMicroscopyd, read_dataset, read_image
from custom.files import replace_file

from ..report.figure import error_overlay
from .run import Run

PANEL = 256  # height of a panel in pixels


def draw_example(run: Run, threshold: float, path: Path) -> None:
    """Image, label, probability and errors of the middle held-out image, as a JPEG.

    An error is a pixel whose mask at `threshold` is not its label (orange: missed, blue: invented).
    """
    validation = read_dataset(run.dataset_dir, check=False).validation
    chosen: Any = validation[len(validation) // 2]
    name, item = Path(chosen["image"]).stem, LoadMicroscopyd()(chosen)
    image, label = (np.asarray(item[key][0]) for key in ("image", "label"))
    probability = read_image(run.folder / "evaluation" / "validation" / "probabilities" / f"{name}.tif")
    shown = (
        image,
        np.where(label == IGNORED, 0.5, label),
        probability,
        error_overlay(image, label, probability > threshold),
    )
    with replace_file(path) as temporary:
        Image.fromarray(np.hstack([_panel(picture) for picture in shown])).save(temporary, quality=80)


def _panel(picture: NDArray) -> NDArray[np.uint8]:
    """(PANEL, W, 3) of a picture (H, W) or (H, W, 3) in [0, 1]."""
    colours = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)
    pixels = Image.fromarray(np.round(colours.clip(0, 1) * 255).astype(np.uint8))
    return np.asarray(pixels.resize((round(PANEL * picture.shape[1] / picture.shape[0]), PANEL)))


def draw_curves(records: list[dict[str, Any]], path: Path) -> None:
    """Training loss and validation pixel error of all records of one data set against steps, as a PNG."""
    figure = Figure(figsize=(13, 5), layout="constrained")
    for axis, curve in zip(figure.subplots(1, 2), ("train_loss", "pixel_error"), strict=True):
        drawn = [record for record in records if record.get("curves", {}).get(curve)]
        for number, record in enumerate(drawn):
            steps, values = np.array(record["curves"][curve], dtype=float).T
            label = f"{record['experiment']}, {record['budget']}"
            label += "" if record["fold"] is None else f", fold {record['fold']}"
            style = ("-", "--", ":")[number // 10 % 3]
            axis.plot(steps, values, style, color=f"C{number % 10}", linewidth=1, label=label)
        axis.set(xlabel="step", ylabel=curve.replace("_", " "))
        if any(axis.dataLim.minpos < np.inf):
            axis.set(yscale="log")
            axis.legend(frameon=False, fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    with replace_file(path) as temporary:
        figure.savefig(temporary, dpi=90)
