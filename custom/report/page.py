"""Rendering of a report as one self-contained HTML file."""

from __future__ import annotations

import base64
import hashlib
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ..classes import class_keys
from ..files import replace_file
from ..metrics.calibration import calibration_error
from . import charts
from .advice import MEASURES, remarks
from .content import KINDS, ImageTable, threshold_curves
from .curves import Curves

FOLDER = Path(__file__).parent
CLASS_MEASURES = ("pixel_error", "iou", "dice")
PACKAGES = ("torch", "monai", "pytorch-ignite", "numpy", "scipy", "scikit-image")


@dataclass(frozen=True)
class Report:
    """The contents of a page.

    Attributes:
        title: name of the run.
        split: list of the data set that the images are from.
        table: the images.
        curves: see `learning_curve`.
        facts: see `dataset_facts`; None without a data set.
        settings: name and value of settings.
        commands: command lines of the run and of the page.
        progress: state of an unfinished training.
        scores: measures over all images together, and their thresholds as ``NAME_threshold``; by default the means.
        threshold: probability from which a pixel is foreground.
    """

    title: str
    split: str
    table: ImageTable
    curves: Curves
    facts: dict[str, Any] | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    commands: Sequence[str] = ()
    progress: str = ""
    scores: dict[str, float] = field(default_factory=dict)
    threshold: float = 0.5


def write_page(report: Report, path: Path) -> None:
    """Write the page of a report atomically.

    Raises:
        UserError: the file cannot be written.
    """
    text = render(report)
    with replace_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def render(report: Report) -> str:
    """HTML of a report. It loads nothing, runs no script but its own, and escapes all names."""
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = (FOLDER / "viewer.js").read_text(encoding="utf-8")
    table, labelled = report.table, report.table.bins[2].any()
    names = report.facts["classes"] if report.facts else []
    classes = names if len(names) > 2 else None
    by_class = class_scores(names, report.scores)
    error = calibration_error(table.bins)
    return environment.get_template("page.html.j2").render(
        report=report,
        rows=table.rows,
        measures=table.measures,
        titles=MEASURES,
        kinds=KINDS if any(row["counts"] for row in table.rows) else (),
        overall={name: report.scores.get(name, _mean(table, name)) for name in table.measures},
        remarks=remarks(table, report.curves, report.facts, report.threshold),
        loss=charts.loss_chart(report.curves),
        validation=charts.validation_chart(report.curves),
        rate=charts.rate_chart(report.curves),
        threshold=charts.threshold_chart(threshold_curves(table.pixels), report.threshold) if labelled else None,
        reliability=charts.reliability_chart(table.bins, error) if labelled else None,
        calibration_error=error,
        versions=versions(),
        classes=classes,
        class_scores=by_class,
        class_measures=[name for name in CLASS_MEASURES if any(name in scores for scores in by_class.values())],
        style=(FOLDER / "page.css").read_text(encoding="utf-8"),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        data={"rows": table.rows, "objects": table.objects, "components": table.components, "classes": classes},
    )


def class_scores(names: Sequence[str], scores: dict[str, float]) -> dict[str, dict[str, float]]:
    """Scores of each class by measure, from `scores` by MEASURE_CLASS; empty where there are none.

    Of two classes the scores without a class are those of the second.
    """
    found: dict[str, dict[str, float]] = {}
    for index, (name, key) in enumerate(zip(names, class_keys(names), strict=True)):
        own = {measure: scores[f"{measure}_{key}"] for measure in CLASS_MEASURES if f"{measure}_{key}" in scores}
        if found and len(names) == 2 and index == 1:
            own = {measure: scores[measure] for measure in found[names[0]] if measure in scores}
        if own:
            found[name] = own
    return found


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that affect results."""
    found = {"Python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def _mean(table: ImageTable, name: str) -> float:
    return float(np.mean([row["scores"][name] for row in table.rows if name in row["scores"]]))
