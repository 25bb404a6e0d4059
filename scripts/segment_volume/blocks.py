"""Blocks of a volume and their segmentation, in this process or by the workers of a cluster."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from custom.blockwise.gray import GrayWindows
from custom.classes import as_prediction, classes_of
from custom.data.channels import Channel
from custom.data.gray import GrayRule
from custom.inferers import OverlapTileInferer
from custom.model import Model

from .classes import mask_values
from .gray import ChannelSlice, channel_slice, gray_slice
from .source import Volume
from .target import MASK, PROBABILITY, open_level

# One forward pass at a time in a process, whatever a worker's number of threads, to bound the memory.
_ONE = threading.Lock()


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

    def blocks(self) -> Iterator[Block]:
        """All blocks, slice by slice."""
        depth, height, width = self.shape
        for z in range(depth):
            for row in range(0, height, self.block):
                for column in range(0, width, self.block):
                    yield Block(z, row, column)


def segment_block(job: Job, block: Block) -> Block:
    """Segment one block and write its chunks; the operation is idempotent.

    The logits are those of the whole slice at this place (`OverlapTileInferer.predict_roi`), so blocks meet seamlessly.

    Raises:
        UserError: a chunk of the source cannot be read, or weights and config do not fit.
    """
    with _ONE:
        rows = slice(block.row, min(block.row + job.block, job.shape[1]))
        columns = slice(block.column, min(block.column + job.block, job.shape[2]))
        model, network = model_of(job)
        inferer = OverlapTileInferer(
            memory_budget=job.memory, orientations=model.orientations, amp=job.bfloat16, scale=model.scale
        )
        logits = inferer.predict_roi(_slice(job, block.z), network, (rows, columns))[0]
        prediction = as_prediction(torch.softmax(logits, dim=0)).cpu().numpy()
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
def _volumes(source: str, channel: Channel, axes: str | None) -> list[Volume]:
    channels = channel if isinstance(channel, tuple) else (channel,)
    return [Volume(Path(source), one, axes) for one in channels]


@lru_cache(maxsize=4)
def _slice(job: Job, z: int) -> GrayWindows | ChannelSlice:
    rule = model_of(job)[0].gray_rule()
    volumes = _volumes(job.source, job.channel, job.axes)
    return gray_slice(volumes[0], z, rule) if isinstance(rule, GrayRule) else channel_slice(volumes, z, rule)
