"""Training with the shipped configs: images per second, and how long the network waits for the loader."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events, RemovableEventHandle
from monai.bundle import ConfigParser

from custom.data import ensure_synthetic
from custom.files import temporary_folder

from .matrix import device_and_dtype, forward_operations, matrix_throughput
from .results import Check, Floor, Part, Table
from .sizes import Sizes
from .timing import alternate, median, synchronise

CONFIGS = Path(__file__).parents[2] / "bundle" / "configs"
EXPERIMENTS: dict[str, list[str]] = {
    "full network": [],
    "compact": ["experiments/compact.json"],
    "quick": ["experiments/quick.json"],
}
MOST_WAIT = {"full network": 5.0, "compact": 5.0, "quick": 20.0}  # per cent
LEAST_SHARE = {"compact": 60.0, "quick": 50.0}  # per cent of matrix products
LIMIT = "layers of few channels"
WARM_UP = 2  # steps
TURNS = 3
PRODUCTS = 5  # turns of matrix products beside each epoch


def clock_of(threads: int) -> Callable[[], float]:
    """The processor's clock for one thread, which includes the loader's; else the wall's."""
    return time.process_time if threads == 1 else time.perf_counter


@dataclass
class Clock:
    """Times of a trainer's events after the first steps; attach it once, and read it after the run."""

    waits: list[float] = field(default_factory=list)
    marks: list[float] = field(default_factory=list)
    asked: float = 0.0
    now: Callable[[], float] = field(default_factory=lambda: clock_of(torch.get_num_threads()))

    def attach(self, trainer: Engine) -> list[RemovableEventHandle]:
        return [
            trainer.add_event_handler(Events.GET_BATCH_STARTED, self._ask),
            trainer.add_event_handler(Events.GET_BATCH_COMPLETED, self._receive),
            trainer.add_event_handler(Events.ITERATION_COMPLETED, self._complete),
        ]

    def _ask(self) -> None:
        self.asked = self.now()

    def _receive(self) -> None:
        self.waits.append(self.now() - self.asked)

    def _complete(self) -> None:
        synchronise()
        self.marks.append(self.now())

    def wait_share(self) -> float:
        return sum(self.waits[WARM_UP : len(self.marks)]) / (self.marks[-1] - self.marks[WARM_UP - 1])

    def steps_per_second(self) -> float:
        return (len(self.marks) - WARM_UP) / (self.marks[-1] - self.marks[WARM_UP - 1])


@dataclass
class Measured:
    """One experiment: medians over the epochs, and the loss of the last step.

    Args:
        images: images a second with the loader.
        images_unloaded: images a second without it.
        batch: images of a batch.
        wait: share of the time waiting for the loader.
        sample_ms: milliseconds for a sample.
        rate: floating-point operations a second.
        limit: those of matrix products, at best before or after the same epoch.
        share: `rate` of `limit`, epoch by epoch.
        loss: of the last step.
    """

    images: float
    images_unloaded: float
    batch: int
    wait: float
    sample_ms: float
    rate: float
    limit: float
    share: float
    loss: float


def read_configs(files: list[str], folder: Path, steps: int, sizes: Sizes) -> ConfigParser:
    """The training config with its overlay, on the synthetic data set, for a few epochs without validation."""
    parser = ConfigParser()
    parser.read_config([CONFIGS / "train.json", *(CONFIGS / file for file in files)])
    changes = {
        "dataset_dir": str(folder / "synthetic"),
        "output_dir": str(folder / "run"),
        "steps_per_epoch": steps + WARM_UP,
        "max_epochs": 2 * TURNS,
        "validate#dataset#data": [],
        **dict(sizes.overrides),
    }
    for name, value in changes.items():
        parser[name] = value
    return parser


def run_epoch(trainer: Engine, clock: Clock, epochs: int) -> None:
    """Continue until `epochs` are done, timed by `clock`."""
    handlers = clock.attach(trainer)
    trainer.state.max_epochs = epochs
    trainer.run()
    for handler in handlers:
        handler.remove()


def measure(files: list[str], folder: Path, steps: int, sizes: Sizes, products: Callable[[], float]) -> Measured:
    """Train epochs with the config's loader and on a single batch kept in memory, in turn with matrix products."""
    parser = read_configs(files, folder, steps, sizes)
    parser.get_parsed_content("prepare")
    trainer = parser.get_parsed_content("train#trainer")
    dataset = parser.get_parsed_content("train#dataset")
    sample = median(alternate({"sample": lambda: dataset[0]}, sizes.rounds), "sample")
    batch = next(iter(trainer.data_loader))

    loaders = (trainer.data_loader, [batch] * (steps + WARM_UP))
    clocks = [Clock() for _ in range(2 * TURNS)]
    limits = [products()]
    for epoch, clock in enumerate(clocks):
        trainer.data_loader = loaders[epoch % 2]
        run_epoch(trainer, clock, epoch + 1)
        limits.append(products())
    loss = float(trainer.state.output[0]["loss"])

    input_size = parser.get_parsed_content("input_size")
    size = parser.get_parsed_content("batch_size")
    # Backward takes twice the operations of forward: gradients of activations and of weights.
    operations = 3 * forward_operations(parser.get_parsed_content("network_def"), input_size)
    loaded, alone = ([size * clock.steps_per_second() for clock in clocks[first::2]] for first in (0, 1))
    rates = [images * operations for images in loaded]
    beside = [max(pair) for pair in pairwise(limits)][::2]
    return Measured(
        images=statistics.median(loaded),
        images_unloaded=statistics.median(alone),
        batch=size,
        wait=statistics.median([clock.wait_share() for clock in clocks[::2]]),
        sample_ms=1e3 * sample,
        rate=statistics.median(rates),
        limit=statistics.median(beside),
        share=statistics.median([rate / limit for rate, limit in zip(rates, beside, strict=True)]),
        loss=loss,
    )


def run(sizes: Sizes) -> Part:
    """Train each experiment for some steps, on the device that its config chooses."""
    with temporary_folder() as folder:
        return compare(sizes, folder)


def compare(sizes: Sizes, folder: Path) -> Part:
    """As `run`, with data and results in `folder`."""
    device, dtype = device_and_dtype()
    products = partial(matrix_throughput, device, dtype, sizes.matrix, PRODUCTS)
    ensure_synthetic(folder / "synthetic")
    part = Part(
        "training",
        f"The trainer of the configs with all its handlers, on {device.type} with {torch.get_num_threads()} threads, "
        f"{str(dtype).removeprefix('torch.')}. The first {WARM_UP} steps are not counted. Without loader: the same "
        "batch again and again."
        + ("" if device.type == "cuda" else " No GPU here: the GPU's step time, rate and share were not measured."),
    )
    rows: list[list[Any]] = []
    for (name, files), steps in zip(EXPERIMENTS.items(), sizes.steps, strict=True):
        result = measure(files, folder, steps, sizes, products)
        rows.append(
            [
                name,
                result.images,
                result.batch,
                result.batch / result.images,
                result.images_unloaded,
                100 * result.wait,
                result.sample_ms,
                result.rate / 1e12,
                result.limit / 1e12,
                100 * result.share,
            ]
        )
        part.checks.append(Check(f"{name}: loss is finite (0) or not (1)", float(not math.isfinite(result.loss)), 0))
        part.floors.append(
            Floor(f"{name}: % of time waiting for the loader", 100 * result.wait, MOST_WAIT[name], at_most=True)
        )
        if name in LEAST_SHARE:
            floor = Floor(f"{name}: % of matrix products", 100 * result.share, LEAST_SHARE[name], limit=LIMIT)
            part.floors.append(floor)
    columns = [
        "",
        "images/s",
        "images in a step",
        "s per step",
        "images/s without loader",
        "% waiting",
        "ms per sample",
        "Tflop/s",
        "Tflop/s in matrix products",
        "% of matrix products",
    ]
    note = f"Matrix products are timed before and after each of {TURNS} epochs; the faster of both is compared with it."
    part.tables.append(Table("Training", columns, rows, "bars", note))
    return part
