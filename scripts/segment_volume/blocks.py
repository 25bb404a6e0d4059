"""Blocks of a volume and their segmentation, in this process or by the workers of a cluster."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from custom.blockwise.gray import ChannelWindows, GrayWindows
from custom.classes import as_prediction, classes_of, split_contact
from custom.data.channels import Channel
from custom.data.gray import GrayRule
from custom.errors import UserError
from custom.inferers import OverlapTileInferer
from custom.inferers.geometry import geometry_of
from custom.model import Model

from .classes import mask_values
from .gray import channel_slice, gray_slice
from .source import Volume
from .target import MASK, PROBABILITY, open_level

# One forward pass at a time in a process, whatever a worker's number of threads, to bound the memory. Other blocks are
# read and written meanwhile; one at a time is read, because not every reader knows threads.
_ONE, _READ = threading.Lock(), threading.Lock()
LIMITS = "gray_limits"  # folder beside the result: the gray values of each slice that become 0 and 1


@dataclass(frozen=True, order=True)
class Block:
    """A square of one slice: slice number and first pixel."""

    z: int
    row: int
    column: int


@dataclass(frozen=True)
class Job:
    """Everything that affects the result, small enough to be sent with each block.

    Args:
        source: path of the volume.
        channel: see `Volume`; of a model of several channels, which of the volume's they are.
        target: folder of the arrays, made by `target.create`.
        model: `model.json` as text: weights by their checksum, and how the model is used.
        model_folder: where its weights lie.
        shape: (Z, H, W) of the volume.
        block: rows and columns of a block, a multiple of the target's chunks and of the network's divisor.
        memory: bytes for a forward pass.
        bfloat16: whether the network runs under bfloat16 autocast.
        instances: whether there are instances, cells of single slices.
        link_z: whether cells of neighbouring slices that overlap have one id.
        axes: see `Volume`.
        time: see `Volume`.
    """

    source: str
    channel: Channel
    target: str
    model: str
    model_folder: str
    shape: tuple[int, int, int]
    block: int
    memory: int
    bfloat16: bool
    instances: bool = False
    link_z: bool = False
    axes: str | None = None
    time: int | None = None

    def blocks(self) -> Iterator[Block]:
        """All blocks, slice by slice."""
        depth, height, width = self.shape
        for z in range(depth):
            for row in range(0, height, self.block):
                for column in range(0, width, self.block):
                    yield Block(z, row, column)


class Clock:
    """Seconds spent inside, and when the first began and the last ended; entered by one thread at a time."""

    def __init__(self) -> None:
        self.seconds, self.first, self.last = 0.0, 0.0, 0.0
        self._start = 0.0

    def __enter__(self) -> None:
        self._start = time.perf_counter()
        self.first = self.first or self._start

    def __exit__(self, *error: object) -> None:
        self.last = time.perf_counter()
        self.seconds += self.last - self._start

    @property
    def waiting(self) -> float:
        """Share of the time between first and last that was spent outside."""
        return 1 - self.seconds / (self.last - self.first)


network_clock = Clock()


class Prefetched:
    """An image (1, C, H, W) of which a window and its surroundings are in memory; the rest is read when asked for."""

    def __init__(self, source: Any, rows: slice, columns: slice, reach: int) -> None:
        self.source, self.shape = source, source.shape
        self.rows, self.columns = (
            slice(max(part.start - reach, 0), min(part.stop + reach, size))
            for part, size in zip((rows, columns), self.shape[2:], strict=True)
        )
        self.pixels = source[0, :, self.rows, self.columns]

    def __getitem__(self, key: tuple[int, slice, slice, slice]) -> Any:
        """A window (C, h, w), indexed as `[0, :, rows, columns]`."""
        rows, columns = key[-2:]
        if _inside(rows, self.rows) and _inside(columns, self.columns):
            top, left = self.rows.start, self.columns.start
            return self.pixels[:, rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
        with _READ:
            return self.source[key]


def _inside(part: slice, whole: slice) -> bool:
    return whole.start <= part.start and part.stop <= whole.stop


def segment_block(job: Job, block: Block) -> Block:
    """Segment one block and write its chunks; the operation is idempotent.

    The logits are those of the whole slice at this place (`OverlapTileInferer.predict_roi`), so blocks meet seamlessly.

    Raises:
        UserError: a chunk of the source cannot be read, or weights and config do not fit.
    """
    rows = slice(block.row, min(block.row + job.block, job.shape[1]))
    columns = slice(block.column, min(block.column + job.block, job.shape[2]))
    with _READ:
        model, network = model_of(job)
        geometry = geometry_of(network)
        # Beyond the network's border the tiles may reach some steps further, and the kernels of a working scale.
        reach = math.ceil((geometry.border + 8 * geometry.divisor) / model.scale) + 16
        source = Prefetched(_slice(job, block.z), rows, columns, reach)
    inferer = OverlapTileInferer(
        memory_budget=job.memory, orientations=model.orientations, amp=job.bfloat16, scale=model.scale
    )
    with _ONE, network_clock:
        logits = inferer.predict_roi(source, network, (rows, columns))[0]
        probabilities = torch.softmax(logits, dim=0)
        prediction = as_prediction(split_contact(probabilities)[0] if model.contact else probabilities).cpu().numpy()
    window = (block.z, rows, columns)
    target = Path(job.target)
    probability = open_level(target, PROBABILITY, 0)
    if len(prediction) == 1:
        probability[window] = prediction[0]
    else:
        probability[(slice(None), *window)] = prediction
    classes = classes_of(prediction, model.postprocessing.threshold)[0].astype(np.uint8)
    open_level(target, MASK, 0)[window] = mask_values(model.classes)[classes]
    return block


def model_of(job: Job) -> tuple[Model, nn.Module]:
    """The job's model and its network, kept from block to block."""
    return _model(job.model, job.model_folder)


@lru_cache(maxsize=1)
def _model(description: str, folder: str) -> tuple[Model, nn.Module]:
    model = Model(**{**json.loads(description), "folder": Path(folder)})
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network: Any = model.network()  # the stubs of Module.to know no memory_format
    return model, network.to(device, memory_format=torch.channels_last)


@lru_cache(maxsize=1)
def _volumes(source: str, channel: Channel, axes: str | None, time: int | None) -> list[Volume]:
    channels = channel if isinstance(channel, tuple) else (channel,)
    return [Volume(Path(source), one, axes, time) for one in channels]


@lru_cache(maxsize=4)
def _slice(job: Job, z: int) -> GrayWindows | ChannelWindows:
    rule, folder = model_of(job)[0].gray_rule(), Path(job.target) / LIMITS
    volumes = _volumes(job.source, job.channel, job.axes, job.time)
    if volumes[0].shape != job.shape:
        raise UserError(f"{job.source}: has shape {volumes[0].shape}, had {job.shape}; start again with what it is now")
    if isinstance(rule, GrayRule):
        return gray_slice(volumes[0], z, rule, folder)
    return channel_slice(volumes, z, rule, folder)


def measure_slice(job: Job, z: int) -> int:
    """Measure the gray values of a slice and keep them beside the result, so that no other worker has to."""
    with _READ:
        _slice(job, z)
    return z
