"""One figure of a run: its worst, median and best image with label, probability, mask and errors; learning curve."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from custom.constants import IGNORED
from custom.report.advice import MEASURES
from custom.report.curves import learning_curve
from custom.wording import counted

from ..lettering import drawable
from .run_files import read_classes, read_picture

ERROR_COLOURS = {"missed": (0.90, 0.35, 0.10), "invented": (0.10, 0.45, 0.90)}


def error_overlay(gray: NDArray, label: NDArray, mask: NDArray) -> NDArray:
    """The image in colours (H, W, 3): foreground missed and foreground invented; pixels of label 255 stay gray."""
    picture = gray.copy() if gray.ndim == 3 else np.repeat(gray[..., None], 3, axis=2)
    for name, wrong in (("missed", (label > 0) & (label != IGNORED) & ~mask), ("invented", (label == 0) & mask)):
        picture[wrong] = 0.35 * picture[wrong] + 0.65 * np.array(ERROR_COLOURS[name])
    return picture


def title_of(measure: str) -> str:
    """The measure as the page and the console call it."""
    return MEASURES[measure][0] if measure in MEASURES else measure.replace("_", " ")


def draw_curve(left: Axes, right: Axes, run: Path) -> None:
    """Training loss on the left, validation measures on the right."""
    curves = learning_curve(run)
    if "train_loss" in curves:
        steps, values = curves["train_loss"]
        window = max(1, len(values) // 50)
        smooth = np.convolve(values, np.ones(window) / window, mode="valid")
        left.plot(steps, values, color="0.85", linewidth=0.5)
        name = f"mean of {window} steps" if window > 1 else "each step"
        left.plot(steps[window - 1 :], smooth, color="C0", label=name)
        left.set(xlabel="step", ylabel="weighted cross entropy", yscale="log", title="training loss")
        left.legend(frameon=False)
    for number, tag in enumerate(("pixel_error", "iou")):
        if tag in curves:
            right.plot(*curves[tag], marker=".", color=f"C{number + 1}", label=title_of(tag))
    right.set(xlabel="epoch", ylim=(0, 1), title="validation")
    right.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    if right.lines:
        right.legend(frameon=False)


def worst_median_best(items: list[dict], scores: dict[str, dict[str, float]]) -> dict[str, dict]:
    """Three of the items (fewer if there are fewer), by rank in SEG where it was scored, else in pixel error."""

    def error(item: dict) -> float:
        score = scores[Path(item["image"]).name]
        return -score["seg"] if "seg" in score else score["pixel_error"]

    ranked = sorted(items, key=error, reverse=True)
    places = {0: "worst", len(ranked) // 2: "median", len(ranked) - 1: "best"} if len(ranked) > 1 else {0: "image"}
    return {name: ranked[place] for place, name in places.items()}


def headline(scores: dict[str, dict[str, float]], overall: dict[str, float]) -> str:
    """Each measure over all images together as the evaluation and the page have it, or the mean of the images."""
    names = next(iter(scores.values()))
    values = {name: overall.get(name, np.mean([score[name] for score in scores.values()])) for name in names}
    return ", ".join(f"{title_of(name)} {value:.4f}" for name, value in values.items())


def draw_report(
    title: str,
    items: list[dict],
    scores: dict[str, dict[str, float]],
    overall: dict[str, float],
    run: Path,
    segmentations: Path,
    output: Path,
) -> None:
    """Draw the figure of a run into ``output`` (PNG).

    Args:
        title: first line above the figure.
        items: scored images of the data set.
        scores: measures by file name.
        overall: measures over all images together; by default the means.
        run: folder with the events of the training.
        segmentations: output folder of inference.
        output: the PNG file.
    """
    shown = worst_median_best(items, scores)
    figure, axes = plt.subplots(len(shown) + 1, 5, figsize=(15, 2.6 * len(shown) + 3.2), layout="constrained")
    for row, (rank, item) in zip(axes, shown.items(), strict=False):
        draw_row(row, rank, item, segmentations, scores[Path(item["image"]).name])
    grid = axes[-1, 0].get_gridspec()
    for axis in axes[-1]:
        axis.remove()
    draw_curve(figure.add_subplot(grid[-1, :3]), figure.add_subplot(grid[-1, 3:]), run)
    images = counted(len(scores), "image")
    figure.suptitle(f"{drawable(title)}, {images}\n{headline(scores, overall)}", fontsize=10, parse_math=False)
    figure.savefig(output, dpi=100)
    plt.close(figure)


def draw_row(row: NDArray, rank: str, item: dict, segmentations: Path, scores: dict[str, float]) -> None:
    """Image, label, probability, mask and errors of one image."""
    name = Path(item["image"])
    picture = read_picture(item, segmentations, False, scores)
    label, mask = read_classes(item), picture.prediction > 0
    highest = max(1, len(picture.probability) - 1) if picture.probability.ndim == 3 else 1
    shown = {key: scores[key] for key in ("pixel_error", "iou", "seg") if key in scores}
    text = ", ".join(f"{title_of(key)} {value:.3f}" for key, value in shown.items())
    pictures = {
        f"{rank}: {name.name}": picture.gray,
        "label": np.where(label == IGNORED, 0.5, label / highest),
        "probability": picture.foreground,
        f"mask: {text}": picture.prediction / highest if highest > 1 else mask,
        "orange: missed, blue: invented": error_overlay(picture.gray, label, mask),
    }
    for axis, (title, shown_picture) in zip(row, pictures.items(), strict=True):
        axis.imshow(shown_picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axis.set_title(drawable(title), fontsize=8, parse_math=False)
        axis.axis("off")
