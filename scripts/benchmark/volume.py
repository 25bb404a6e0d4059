"""Segmentation of a volume in blocks: how much of the time the network waits for files."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import zarr
from numpy.typing import NDArray

from custom.files import temporary_folder
from custom.inferers import bfloat16_is_fast
from custom.model import Model, read_model, to_json, write_model

from ..segment_volume import blocks, target
from ..segment_volume.blocks import Block, Job
from ..segment_volume.workers import segment_here
from . import samples
from .results import Check, Floor, Part, Table
from .sizes import Sizes

MODEL = "em"  # whose network is taken, at another width and with random weights


def run(sizes: Sizes) -> Part:
    """Segment a volume with blocks read and written while others compute, and one after the other, in turns."""
    depth, height, width = sizes.volume
    part = Part(
        "volume",
        f"{depth} slices of {height} x {width} pixels, Zarr to OME-Zarr, {sizes.features} features, blocks of "
        f"{sizes.volume_block} pixels, on {'cuda' if torch.cuda.is_available() else 'cpu'}.",
    )
    ways = {"blocks read and written meanwhile": segment_here, "one block after the other": one_after_the_other}
    measured: dict[str, list[tuple[NDArray[np.float32], float, float]]] = {name: [] for name in ways}
    with temporary_folder() as folder:
        job = make_job(folder, sizes)
        timed(job, folder / "warm-up", one_after_the_other)
        for number in range(sizes.network_rounds):
            for name, way in ways.items():
                measured[name].append(timed(job, folder / f"{name} {number}", way))
    rows: list[list[Any]] = []
    for name, results in measured.items():
        seconds, waiting = (statistics.median(values) for values in list(zip(*results, strict=True))[1:])
        rows.append([name, seconds, depth * height * width / 1e6 / seconds, waiting])
    found = [results[0][0] for results in measured.values()]
    part.tables = [Table("A volume in blocks", ["", "s", "Mvoxel/s", "share of the time that the network waits"], rows)]
    part.checks = [Check("probabilities of both ways, largest difference", float(abs(found[0] - found[1]).max()), 0.0)]
    part.floors = [Floor("share of the time that the network waits", rows[0][3], 0.05, at_most=True)]
    return part


def one_after_the_other(job: Job, todo: list[Block]) -> Iterator[Block]:
    """Read, compute and write a block before the next."""
    for block in todo:
        yield blocks.segment_block(job, block)


def timed(
    job: Job, output: Path, way: Callable[[Job, list[Block]], Iterator[Block]]
) -> tuple[NDArray[np.float32], float, float]:
    """Probabilities, seconds, and the share without a forward pass of those from the first pass to the last."""
    own = Job(**{**vars(job), "target": str(output)})
    target.create(output, job.shape, job.block, (1, 1, 1), None)
    blocks.network_clock = blocks.Clock()
    start = time.perf_counter()
    for _ in way(own, list(own.blocks())):
        pass
    seconds = time.perf_counter() - start
    return np.asarray(zarr.open_array(output / "0", mode="r")[:]), seconds, blocks.network_clock.waiting


def make_job(folder: Path, sizes: Sizes) -> Job:
    """A volume of micrographs and a network of random weights on disk."""
    depth, height, width = sizes.volume
    side = max(height, width)
    plane = (255 * samples.mosaic(side)[0][:height, :width]).astype(np.uint8)
    source = zarr.create_array(folder / "in.zarr", shape=sizes.volume, chunks=(1, 512, 512), dtype="uint8")
    source[:] = np.stack([np.roll(plane, 37 * z, axis=1) for z in range(depth)])
    torch.manual_seed(0)
    shipped = read_model(MODEL)
    network_def = {**shipped.network_def, "features": sizes.features}
    model: Model = shipped.model_copy(
        update={"network_def": network_def, "orientations": 1, "folder": folder / "model"}
    )
    model = write_model(folder / "model", model, model.build().state_dict())
    return Job(
        source=str(folder / "in.zarr"),
        channel=None,
        target="",
        model=to_json(model),
        model_folder=str(folder / "model"),
        shape=sizes.volume,
        block=sizes.volume_block,
        memory=2**30,
        bfloat16=bfloat16_is_fast("cuda" if torch.cuda.is_available() else "cpu"),
    )
