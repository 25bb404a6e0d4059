"""Removal of what the work on a volume leaves behind, slice by slice, here or by the workers of a cluster."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from . import instances, target
from .blocks import Job


def clean_slice(job: Job, z: int) -> int:
    """Remove the working ids of a slice, and partial files of killed workers; doing it twice does no harm."""
    path = Path(job.target)
    if job.instances:
        for folder in _folders(path, instances.WORKING, "0", z):
            shutil.rmtree(folder, ignore_errors=True)
    for name in target.layers(job.instances):
        for level in target.level_paths(path, name):
            for folder in _folders(path, name, level, z):
                for file in folder.rglob("*.partial"):
                    file.unlink(missing_ok=True)
    return z


def _folders(path: Path, name: str, level: str, z: int) -> Iterator[Path]:
    """The folders with the chunks of a slice, one for each channel."""
    array = target.open_level(path, name, level, "r")
    for channel in np.ndindex(*array.shape[:-3]):
        key = array.metadata.encode_chunk_key((*channel, z, 0, 0))
        yield (path / name / level / key).parents[1]
