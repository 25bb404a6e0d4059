"""Charts of a report, as SVG with the text colour and font of the page."""

from __future__ import annotations

import html
import io
import re
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator
from numpy.typing import NDArray

from ..metrics.sweep import THRESHOLDS
from .advice import MEASURES
from .curves import Curves

INK = "#010203"  # placeholder for the page's text colour
# Distinct without colour by line style and marker; readable on white and on black.
STYLES: tuple[dict[str, Any], ...] = (
    {"color": "#2f86d1", "linestyle": "-", "marker": "o"},
    {"color": "#d9702b", "linestyle": "--", "marker": "s"},
    {"color": "#2a9d6f", "linestyle": ":", "marker": "^"},
)
STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "report",
    "font.size": 10,
    "lines.markersize": 4,
    "lines.linewidth": 1.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.2,
    "legend.frameon": False,
    **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK),
    "grid.color": INK,
}
MAX_POINTS = 500
TITLES = {name: title for name, (title, *_) in MEASURES.items()}


def draw(describe: str, fill: Callable[[Axes], None], width: float = 5.2) -> str:
    """SVG of a chart; `fill` draws into the axes it is called with, `describe` is the text alternative."""
    with rc_context(STYLE):  # type: ignore[arg-type]
        figure = Figure(figsize=(width, 3.0), layout="constrained")
        fill(figure.add_subplot())
        content = io.StringIO()
        figure.savefig(content, format="svg", transparent=True, metadata={"Date": None})
    svg = content.getvalue()
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # The ids of the drawings on a page have to be unique.
    salt = f"c{zlib.crc32(svg.encode()):x}"
    svg = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{salt}", svg)
    return f'<svg role="img" aria-label="{html.escape(describe)}" class="chart" ' + svg.removeprefix("<svg ")


def loss_chart(curves: Curves) -> str | None:
    """Loss in training (mean of a stretch of steps) and in validation, against steps; None without either."""
    if "train_loss" not in curves:
        return None
    steps, values = _thinned(*curves["train_loss"])

    def fill(axes: Axes) -> None:
        axes.plot(steps, values, **{**STYLES[0], "marker": None}, label="training")
        if "val_loss" in curves:
            epochs, losses = curves["val_loss"]
            axes.plot(np.array(epochs) * steps_per_epoch(curves), losses, **STYLES[1], label="validation")
        axes.set(xlabel="step", ylabel="loss")
        if np.min(values) > 0:
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter("{x:.3g}")
            axes.yaxis.set_minor_locator(NullLocator())
        axes.legend()

    return draw(f"Loss against steps; training ends at {values[-1]:.3g}", fill)


def validation_chart(curves: Curves, names: Sequence[str] = ("seg", "v_rand", "iou", "pixel_error")) -> str | None:
    """Measures on the validation images against epochs; None without them."""
    shown = [name for name in names if name in curves]
    if not shown:
        return None

    def fill(axes: Axes) -> None:
        for style, name in zip(STYLES, shown, strict=False):
            axes.plot(*curves[name], **style, label=TITLES.get(name, name))
        axes.set(xlabel="epoch", ylim=(0, 1))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend()

    last = ", ".join(f"{TITLES.get(name, name)} {curves[name][1][-1]:.3f}" for name in shown)
    return draw(f"Validation against epochs; at the end {last}", fill)


def rate_chart(curves: Curves) -> str | None:
    """Learning rate against epochs; None where it was not recorded."""
    if "learning_rate" not in curves:
        return None
    epochs, rates = curves["learning_rate"]

    def fill(axes: Axes) -> None:
        axes.plot(epochs, rates, **STYLES[0])
        axes.set(xlabel="epoch", ylabel="learning rate", ylim=(0, None))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))

    return draw(f"Learning rate against epochs, from {rates[0]:.3g} to {rates[-1]:.3g}", fill)


def threshold_chart(curves: dict[str, list[float]], used: float) -> str:
    """IoU, precision and recall of the foreground against the threshold on its probability; a line at the one used."""

    def fill(axes: Axes) -> None:
        for style, (name, values) in zip(STYLES, curves.items(), strict=True):
            axes.plot(THRESHOLDS, values, **style, label=name)
        axes.axvline(used, color=INK, linewidth=0.8, alpha=0.5)
        axes.set(xlabel="threshold on the probability", xlim=(0, 1), ylim=(0, 1.02))
        axes.legend()

    iou = np.nan_to_num(curves["IoU"])  # there is none where neither label nor prediction has foreground
    return draw(f"IoU is highest, {iou.max():.3f}, at threshold {THRESHOLDS[iou.argmax()]:.1f}", fill)


def reliability_chart(sums: NDArray, error: float) -> str:
    """How often a pixel is foreground against the probability it was given, with the share of pixels of each bin."""
    with np.errstate(invalid="ignore"):
        mean, frequency = sums[0] / sums[2], sums[1] / sums[2]
    share = sums[2] / max(1, sums[2].sum())
    centres = (np.arange(len(share)) + 0.5) / len(share)

    def fill(axes: Axes) -> None:
        axes.bar(centres, share, width=0.9 / len(share), color=INK, alpha=0.15, label="share of the pixels")
        axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, alpha=0.6, label="perfectly calibrated")
        known = ~np.isnan(mean)
        axes.plot(mean[known], frequency[known], **STYLES[1], label="observed")
        axes.set(xlabel="probability given", ylabel="share that is foreground", xlim=(0, 1), ylim=(0, 1.02))
        axes.legend(loc="upper left", fontsize=8)

    return draw(f"Reliability diagram; expected calibration error {error:.3f}", fill)


def steps_per_epoch(curves: Curves) -> float:
    """Training steps of an epoch, from where both curves end; 1 if that is not known.

    A model that a training starts from is validated as epoch 0.
    """
    steps, epochs = curves.get("train_loss", ([], []))[0], curves.get("val_loss", ([], []))[0]
    return max(1.0, steps[-1] / epochs[-1]) if steps and any(epochs) else 1.0


def _thinned(steps: list[int], values: list[float]) -> tuple[NDArray, NDArray]:
    parts = np.array_split(np.arange(len(steps)), min(MAX_POINTS, len(steps), max(20, len(steps) // 10)))
    where, what = np.array(steps), np.array(values)
    kept = [part for part in parts if len(part)]
    return np.array([where[part[-1]] for part in kept]), np.array([what[part].mean() for part in kept])
