"""The weight map: against its definition, and how its cost grows with pixels and cells."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from custom.transforms import WeightMap

from . import samples
from .results import Check, Floor, Part, Table
from .sizes import Sizes
from .timing import Call, alternate, comparison, median, seconds, speedup, threads
from .weight_map_peers import SIGMA, W0, boxed, naive, opencv_distance, scipy_distance

OWN = "WeightMap"
EVERYWHERE = "WeightMap, border_everywhere"
NAIVE = "one distance transform a cell"
BOXED = "bounding boxes, scipy"
BOXED_OPENCV = "bounding boxes, OpenCV"
FEW = 8  # cells from which the naive way is extrapolated
Label = NDArray[np.uint8]


def own(label: Label, everywhere: bool = False) -> Call:
    transform = WeightMap(W0, SIGMA, border_everywhere=everywhere)
    return lambda: transform(label[None])


def count_cells(label: Label) -> int:
    return ndimage.label(label)[1]


def extrapolated(label: Label) -> float:
    """Seconds of the naive way, from its first cells; sorting grows faster than that, so it is a lower limit."""
    return seconds(lambda: naive(label, FEW)) * count_cells(label) / min(FEW, count_cells(label))


def run(sizes: Sizes) -> Part:
    """Compare on one thread."""
    part = Part("weight_map", f"One thread, w0 10, sigma 5, labels of {samples.source()}, 4-connected cells.")
    label, large = samples.mosaic(sizes.image)[1], samples.mosaic(sizes.mosaic)[1]
    with threads(1):
        part.checks = checks(label, large)
        small_times = alternate(candidates(label), sizes.rounds)
        small_naive = alternate({NAIVE: lambda: naive(label), OWN: own(label)}, sizes.long_rounds, warm_up=False)
        large_times = alternate(candidates(large), sizes.long_rounds)
        large_naive = extrapolated(large)
        part.tables = [
            table(label, small_times, median(small_naive, NAIVE), ""),
            table(large, large_times, large_naive, f"The naive way is extrapolated from {FEW} cells in proportion."),
            growth(sizes),
            cells(sizes),
        ]
    limit = "two passes over the columns and one search along each row"
    part.floors = [
        Floor(
            f"times faster than the naive way, {sizes.image} pixels", speedup(small_naive, NAIVE, OWN), 50, limit=limit
        ),
        Floor(
            f"times faster than the naive way (extrapolated), {sizes.mosaic} pixels",
            large_naive / median(large_times, OWN),
            400,
            limit=limit,
        ),
    ]
    return part


def candidates(label: Label) -> dict[str, Call]:
    return {
        OWN: own(label),
        EVERYWHERE: own(label, everywhere=True),
        BOXED: lambda: boxed(label, scipy_distance),
        BOXED_OPENCV: lambda: boxed(label, opencv_distance),
    }


def table(label: Label, times: dict[str, list[float]], naive_seconds: float, note: str) -> Table:
    rows = comparison(times, OWN, 1e-3)
    rows.append([NAIVE, 1e3 * naive_seconds, naive_seconds / median(times, OWN)])
    size = f"{label.shape[0]} x {label.shape[1]}, {count_cells(label)} cells"
    return Table(f"Weight map, {size}", ["", "ms", f"times slower than {OWN}"], rows, "bars", note)


def growth(sizes: Sizes) -> Table:
    """Time by image size."""
    rows: list[list[Any]] = []
    for size in sizes.growth:
        label = samples.mosaic(size)[1]
        rounds = sizes.rounds if size < 1024 else sizes.long_rounds
        times = alternate({OWN: own(label), BOXED_OPENCV: candidates(label)[BOXED_OPENCV]}, rounds)
        naive_ms = 1e3 * extrapolated(label) if size <= 1024 else None
        rows.append([size, *(1e3 * median(times, name) for name in times), naive_ms, count_cells(label)])
    columns = ["pixels per side", OWN, BOXED_OPENCV, f"{NAIVE} (extrapolated)", "cells"]
    return Table("Weight map by image size, ms", columns, rows, "lines")


def square_cells(size: int, count: int) -> Label:
    """`count` times `count` square cells, 2 pixels of background between them."""
    label = np.ones((size, size), np.uint8)
    edges = np.linspace(0, size, count + 1).astype(int)[1:-1]
    for edge in edges:
        label[edge - 1 : edge + 1] = 0
        label[:, edge - 1 : edge + 1] = 0
    return label


def cells(sizes: Sizes) -> Table:
    """Time by the number of cells, in an image of one size."""
    rows: list[list[Any]] = []
    for count in sizes.cells:
        label = square_cells(sizes.grid, count)
        times = alternate({OWN: own(label), BOXED_OPENCV: candidates(label)[BOXED_OPENCV]}, sizes.long_rounds)
        rows.append([count**2, *(1e3 * median(times, name) for name in times), 1e3 * extrapolated(label)])
    columns = ["cells", OWN, BOXED_OPENCV, f"{NAIVE} (extrapolated)"]
    return Table(f"Weight map by number of square cells, {sizes.grid} pixels per side, ms", columns, rows, "lines")


def checks(label: Label, large: Label) -> list[Check]:
    """Against the definition on the small label, and against bounding boxes on the large one."""
    exact, nearly = naive(label), boxed(large, scipy_distance)
    background = label == 0
    return [
        Check(
            "against the definition, background, largest difference",
            float(np.abs(own(label)()[0] - exact)[background].max()),
            2e-5,
        ),
        Check(
            "against the definition, everywhere, largest difference",
            float(np.abs(own(label, everywhere=True)()[0] - exact).max()),
            2e-5,
        ),
        Check(
            f"against bounding boxes, {large.shape[0]} pixels, everywhere, largest difference",
            float(np.abs(own(large, everywhere=True)()[0] - nearly).max()),
            2e-5,
        ),
    ]
