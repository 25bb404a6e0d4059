"""The report of a run, rewritten while it trains."""

from __future__ import annotations

import logging
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from ignite.engine import Engine, Events
from monai.engines.utils import IterationEvents

from ..classes import classes_of
from ..constants import IGNORED
from ..data.channels import as_picture
from ..data.datalist import Datalist
from .validation import is_last_epoch

if TYPE_CHECKING:
    from ..report.content import ImageTable
    from ..report.curves import Curves

MAX_IMAGES = 30
PAUSE = 60  # seconds between two pages, at least
SHARE = 0.05  # of the time, at most


class RunReport:
    """Handler of a trainer: writes ``OUTPUT_DIR/report.html`` after a validation, and when the training ends.

    The page shows up to 30 validation images, the curves so far and the facts of the data set. It takes at most 5 % of
    the time: validations that follow too soon after the last page are skipped. If a page cannot be written, this is
    logged, and the training continues. Use it on rank 0 only, whose share of the images it shows.

    Args:
        output_dir: folder of the run.
        validator: the evaluator; its outputs have ``pred``, a prediction (see `custom.classes`), its batches (or
            outputs) ``label`` (1, H, W), classes.
        data: the data set.
        settings: settings to show, by name; that of the measure ``best_by`` fits the threshold.
    """

    def __init__(
        self,
        output_dir: str | os.PathLike[str],
        validator: Engine,
        data: Datalist,
        settings: dict[str, Any] | None = None,
    ) -> None:
        self.run = Path(output_dir)
        self.validator = validator
        self.data = data
        self.settings = settings or {}
        self.logger = logging.getLogger(type(self).__name__)
        self.table: ImageTable | None = None
        self.rows: list[dict[str, Any]] = []  # of the table of images, in validation order
        self.images = 0
        self.trainer: Engine | None = None
        self.shown_epoch = 0
        self.is_due = False
        self.next_page = 0.0
        self.facts: dict[str, Any] | None = None
        self.earlier: Curves = {}
        self.curves: Curves = {}
        self.class_scores: dict[str, float] = {}
        self.threshold = 0.5

    def attach(self, trainer: Engine) -> None:
        """Follow the trainer and its validator."""
        self.trainer = trainer
        trainer.add_event_handler(Events.STARTED, self.start)
        trainer.add_event_handler(Events.ITERATION_COMPLETED, self.note_loss)
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self.note_rate)
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self.write_if_due)
        trainer.add_event_handler(Events.COMPLETED, self.write, ended=True)
        self.validator.add_event_handler(Events.EPOCH_STARTED, self.begin)
        self.validator.add_event_handler(IterationEvents.MODEL_COMPLETED, self.add_images)
        self.validator.add_event_handler(Events.EPOCH_COMPLETED, self.note_scores)

    def start(self, trainer: Engine) -> None:
        """Read the record of an interrupted training, and add the command line and the settings."""
        # Here and below: import the report's packages (matplotlib, Jinja2) only where a report is made.
        from ..report.curves import learning_curve
        from ..report.record import command_line, read_record, write_record

        self.earlier = learning_curve(self.run)
        commands = read_record(self.run).get("commands", []) if self.earlier else []
        command = command_line(["python", *sys.orig_argv[1:]])
        write_record(self.run, {"commands": list(dict.fromkeys([*commands, command])), "settings": self.settings})

    def note_loss(self, trainer: Engine) -> None:
        """Add a point to the curve of the training loss."""
        state: Any = trainer.state
        self._note("train_loss", state.iteration, float(state.output[0]["loss"]))

    def note_rate(self, trainer: Engine) -> None:
        """Add a point to the curve of the learning rate."""
        optimizer: Any = trainer.optimizer  # type: ignore[attr-defined]
        self._note("learning_rate", trainer.state.epoch, optimizer.param_groups[0]["lr"])

    def begin(self, validator: Engine) -> None:
        """Decide whether to collect the images of this validation."""
        from ..report.content import ImageTable

        assert self.trainer is not None
        self.is_due = is_last_epoch(self.trainer) or time.monotonic() >= self.next_page
        self.rows, self.images = [], 0
        if self.is_due:
            self.table, self.shown_epoch = ImageTable(objects=False, classes=len(self.data.class_names)), 0

    def add_images(self, validator: Engine) -> None:
        """Collect the images of a batch for the page."""
        from ..report.layers import Picture

        state: Any = validator.state
        if not self.is_due or self.table is None:
            return
        for batch, output in zip(state.batch, state.output, strict=True):
            self.images += 1
            if self.images > MAX_IMAGES:
                continue
            planes, (label,), prediction = (
                torch.as_tensor({**batch, **output}[key]).detach().float().cpu().numpy()
                for key in ("image", "label", "pred")
            )
            name = Path(str(batch["image"].meta["filename_or_obj"])).name
            classes = np.where(label == IGNORED, -1, label).astype(np.int64)
            mask = classes_of(prediction)[0].astype(np.int64)
            probability = prediction if len(prediction) > 1 else prediction[0]
            self.rows.append(self.table.add(Picture(name, as_picture(planes), probability, mask, classes, {})))

    def note_scores(self, validator: Engine) -> None:
        """Add points to the curves of the validation, and the scores of its images to the table."""
        state: Any = validator.state
        for name, value in state.metrics.items():
            if np.isscalar(value) or getattr(value, "ndim", 1) == 0:
                self._note(name, state.epoch, float(value))
        if self.is_due and self.table is not None:
            self.shown_epoch = state.epoch
            # Fitted to these images, as BestModelSaver stores it.
            self.threshold = float(state.metrics.get(f"{self.settings.get('best_by', 'pixel_error')}_threshold", 0.5))
            prefixes = ("pixel_error_", "iou_") if len(self.data.class_names) > 2 else ()
            self.class_scores = {name: float(x) for name, x in state.metrics.items() if name.startswith(prefixes)}
            for name, values in getattr(state, "metric_details", {}).items():
                # Each process has its own images, but the scores of all of them.
                if len(values) == self.images:
                    for row, value in zip(self.rows, values, strict=False):
                        row["scores"][name] = float(np.nanmean(value))
            self.table.sort()

    def write_if_due(self, trainer: Engine) -> None:
        """Write the page if it has new images."""
        if self.is_due and self.shown_epoch == trainer.state.epoch:
            self.write(trainer)

    def write(self, trainer: Engine, ended: bool = False) -> None:
        """Write the page with the images collected last."""
        if self.table is None:
            return
        begin, self.is_due = time.monotonic(), False
        try:
            self._write_page(trainer, ended)
        except Exception:
            self.logger.exception("the report could not be written; the training continues")
        now = time.monotonic()
        self.next_page = now + max(PAUSE, (now - begin) / SHARE)

    def _write_page(self, trainer: Engine, ended: bool) -> None:
        from ..report.facts import dataset_facts
        from ..report.page import Report, write_page
        from ..report.record import read_record

        assert self.table is not None
        if self.facts is None:
            self.facts = dataset_facts(self.data)
        state = "the training ended with" if ended else "training, after"
        progress = f"images of epoch {self.shown_epoch}; {state} epoch {trainer.state.epoch}"
        title = f"{self.run.name} on {self.data.about.get('name', self.data.folder)}"
        commands = read_record(self.run).get("commands", [])
        page = Report(
            title,
            "validation",
            self.table,
            self._all_curves(),
            self.facts,
            self.settings,
            commands,
            progress,
            self.class_scores,
            self.threshold,
        )
        write_page(page, self.run / "report.html")

    def _note(self, tag: str, step: int, value: float) -> None:
        steps, values = self.curves.setdefault(tag, ([], []))
        steps.append(step)
        values.append(value)

    def _all_curves(self) -> Curves:
        """The curves, preceded by those of an interrupted training."""
        merged = dict(self.curves)
        for tag, (steps, values) in self.curves.items():
            before = [point for point in zip(*self.earlier.get(tag, ([], [])), strict=True) if point[0] < steps[0]]
            merged[tag] = ([step for step, _ in before] + steps, [value for _, value in before] + values)
        return merged
