"""Segment a volume of any size, slice by slice, without seams and within bounded memory.

    python -m scripts.segment_volume IN OUT --model em
    python -m scripts.segment_volume IN OUT --model em --resume
    python -m scripts.segment_volume IN OUT --model em --scheduler tcp://host:8786

IN is a TIFF stack, a Zarr array or an OME-Zarr image (0.4 or 0.5) of slices, rows and columns; of a plate or a
conversion by bioformats2raw it is one of the images inside, such as plate.zarr/A/1/0 or all.zarr/0. OUT becomes an
OME-Zarr image (0.4 by default): foreground probabilities, float32 (of more than two classes, a channel for each), with
the mask under labels/mask, both as pyramids of compressed chunks. Pixel size, unit, the time between slices of a film
and, of an OME-Zarr, the translation are those of IN. The slices of a film are its time points; of volumes at several
time points --time chooses one. Unfinished results are in OUT.part; --resume continues a run that was killed, block by
block.

With --instances there are cells, too, under labels/instances: by the model's post-processing, in each slice those of
the whole slice, with an id of their own in the volume. With --link_z a cell has the id of the cell in the slice before
that overlaps it most, if that one overlaps it most in turn.

On a Dask cluster the workers need this project (start them in its folder) and see IN, OUT and the weights under the
same paths; the result is the same, bit for bit with equal numbers of threads. Gray values are scaled for each slice, by
its own percentiles, as in training and inference.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from custom.data.channels import Channel, as_channel, check_axes, count_of
from custom.data.decode import MASK_SUFFIXES
from custom.data.inputs import named_channels
from custom.data.pixel_size import in_micrometres, warn_of_pixel_size
from custom.errors import UserError
from custom.files import errors_name, new_folder, require_space, require_writable
from custom.inferers import bfloat16_is_fast
from custom.inferers.geometry import geometry_of
from custom.lock import NAME as LOCK
from custom.lock import lock
from custom.model import ClassInfo, Model, to_json

from .. import command
from ..model_options import add_model_options, model_from
from . import instances, target
from .blocks import LIMITS, Block, Job, measure_slice
from .clean_up import clean_slice
from .journal import Journal
from .pyramid import fill_levels
from .source import Volume
from .workers import run_slices, segment_here, segment_on_cluster

CHUNK = 512
BLOCK = 4 * CHUNK
JOURNAL = "journal.txt"


def make_parser() -> command.Parser:
    """The command line."""
    parser = command.make_parser("scripts.segment_volume", __doc__)
    parser.add_argument("source", type=Path, metavar="IN", help="TIFF stack, Zarr array or OME-Zarr image")
    parser.add_argument("target", type=Path, metavar="OUT", help="a new folder for the OME-Zarr image")
    add_model_options(parser)
    parser.add_argument(
        "--channel", type=int, nargs="+", metavar="N", help="which channel (or several), from 0, if the volume has more"
    )
    parser.add_argument("--axes", help="what the axes are where the file does not say it, such as CZYX")
    parser.add_argument("--time", type=int, metavar="N", help="which time point, from 0, if there are several volumes")
    parser.add_argument("--resume", action="store_true", help="continue an interrupted run")
    parser.add_argument("--ome_zarr", choices=("0.4", "0.5"), default="0.4", help="version of the output")
    parser.add_argument("--instances", action="store_true", help="cells too, by the model's post-processing")
    parser.add_argument("--link_z", action="store_true", help="one id for cells that overlap from slice to slice")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask cluster that does the work")
    parser.add_argument(
        "--memory", type=float, default=1.0, metavar="GIB", help="for a forward pass, and for a watershed"
    )
    parser.add_argument("--block", type=int, default=BLOCK, metavar="PIXELS", help="per side")
    parser.add_argument(
        "--bfloat16", choices=("true", "false"), help="default: where this machine's hardware is fast at it"
    )
    return parser


def make_job(options: argparse.Namespace, volume: Volume) -> Job:
    """The job that the command line describes.

    Raises:
        UserError: a model that cannot be used, blocks that do not fit its network.
    """
    model = model_from(options)
    warn_of_pixel_size([(options.source, in_micrometres(volume.scale, volume.unit))], model.pixel_size)
    divisor = geometry_of(model.network()).divisor
    if options.block < divisor or options.block % divisor:
        raise UserError(f"--block {options.block}: give a multiple of {divisor}, the network's divisor")
    if options.memory <= 0:
        raise UserError(f"--memory {options.memory}: give a positive number of GiB")
    if options.link_z and not options.instances:
        raise UserError("--link_z: links instances; add --instances")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    job = Job(
        source=str(options.source.absolute()),
        channel=channels_of(options, volume, model),
        axes=check_axes(options.axes),
        time=options.time,
        target=str(part_of(options.target).absolute()),
        model=to_json(model),
        model_folder=str(model.folder.absolute()) if model.folder else "",
        shape=volume.shape,
        block=options.block,
        memory=int(options.memory * 2**30),
        bfloat16=bfloat16_is_fast(device) if options.bfloat16 is None else options.bfloat16 == "true",
        instances=options.instances,
        link_z=options.link_z,
    )
    if job.instances:
        instances.require_memory(job)
    return job


def open_volume(options: argparse.Namespace) -> Volume:
    """The volume, by the first of the channels that are asked for."""
    several = options.channel is None and len(model_from(options).channels) > 1
    first = 0 if several else options.channel and options.channel[0]
    return Volume(options.source, first, check_axes(options.axes), options.time)


def channels_of(options: argparse.Namespace, volume: Volume, model: Model) -> Channel:
    """The channels of the volume that the model is to see.

    Raises:
        UserError: the volume has others than the model takes, or `--channel` names another number of them.
    """
    wanted = named_channels(model.channels)
    chosen = as_channel(options.channel)
    if chosen is None and len(model.channels) > 1:
        if volume.channels != len(model.channels):
            advice = "choose with --channel" if volume.channels > 1 else "name its axes with --axes, such as CZYX"
            raise UserError(f"{volume.path}: channels: {volume.channels}, the model takes {wanted}; {advice}")
        return tuple(range(volume.channels))
    if count_of(chosen) != len(model.channels):
        raise UserError(f"--channel: the model takes {wanted}; give {len(model.channels)} of the volume's")
    return chosen


def part_of(path: Path) -> Path:
    """Path of the unfinished result."""
    return path.with_name(f"{path.name}.part")


def chunk_of(block: int) -> int:
    """Rows and columns of the target's chunks, such that no two blocks share one."""
    return CHUNK if block % CHUNK == 0 else block


def require_target(path: Path, resume: bool) -> None:
    """Raise UserError if the target exists, or a part of it without `--resume`, or has the suffix of an image file."""
    if path.name.lower().endswith(MASK_SUFFIXES):
        raise UserError(f"{path}: the result is a folder, an OME-Zarr image; name it {path.with_suffix('.zarr').name}")
    if path.exists():
        raise UserError(f"{path}: exists already; give a new name, or remove it first")
    part = part_of(path)
    if part.exists() and not resume:
        raise UserError(f"{part}: is left from an interrupted run; continue with --resume, or remove it first")
    if resume and not (part / JOURNAL).is_file():
        raise UserError(f"--resume: no interrupted run at {part}; leave --resume out to begin")


def size_of(job: Job) -> int:
    """Bytes of the result, uncompressed."""
    voxels = sum(z * h * w for z, h, w in target.level_shapes(job.shape, chunk_of(job.block)))
    return voxels * target.bytes_per_voxel(job.instances, classes_of(job))


def classes_of(job: Job) -> list[ClassInfo]:
    """The classes of the job's model."""
    return [ClassInfo(**part) for part in json.loads(job.model)["classes"]]


def identity(job: Job, volume: Volume) -> dict[str, Any]:
    """Everything that affects the result, which has to be equal when a run is resumed; weights by their content, the
    source by that of its first and last slice, down to some millions of pixels."""
    pixels = hashlib.sha256()
    for z in sorted({0, job.shape[0] - 1}):
        pixels.update(np.ascontiguousarray(next(volume.bands(z))).tobytes())
    settings = {name: value for name, value in asdict(job).items() if name != "model_folder"}
    return {**settings, "source with pixels": pixels.hexdigest()[:16]}


def begin(path: Path, job: Job, volume: Volume, header: dict[str, Any], version: target.Version) -> None:
    """Make the empty target and its journal beside the final name, atomically."""
    with new_folder(path) as folder:
        chunk = chunk_of(job.block)
        sizes = job.shape, chunk, volume.scale, volume.unit
        where = volume.film, volume.origin, volume.times
        target.create(folder, *sizes, version, job.instances, classes_of(job), *where)
        if job.instances:
            instances.create(folder, job, chunk)
        Journal(folder / JOURNAL).start(header)


def segment(job: Job, todo: list[Block], scheduler: str | None) -> Iterator[Block]:
    """Segment the blocks here or on a cluster."""
    return segment_on_cluster(job, todo, scheduler) if scheduler else segment_here(job, todo)


def run(options: argparse.Namespace) -> None:
    """Segment the volume that the command line names.

    Raises:
        UserError: see the functions above; or the disk is full half-way.
    """
    require_target(options.target, options.resume)
    volume = open_volume(options)
    job = make_job(options, volume)
    require_writable(options.target.absolute().parent)
    part, header = part_of(options.target), {**identity(job, volume), "ome_zarr": options.ome_zarr}
    try:
        if not options.resume:
            require_space(options.target, size_of(job))
            with errors_name(options.target, part):  # which is not left behind
                begin(part, job, volume, header, options.ome_zarr)
        with lock(part):
            segment_rest(part, job, header, options.scheduler)
            volume.require_unchanged()
        finish(part, options.target)
    except OSError as error:
        raise UserError(
            f"{part}: cannot be written ({error.strerror or error}); make it writable, then continue with --resume"
        ) from error


def segment_rest(part: Path, job: Job, header: dict[str, Any], scheduler: str | None) -> None:
    """Segment the blocks that the journal does not list yet, number the cells, build the pyramid, and clean up.

    Raises:
        UserError: the journal is of another job, or the disk has not enough space.
    """
    journal, blocks = Journal(part / JOURNAL), list(job.blocks())
    done = journal.finished(header)
    todo = [block for block in blocks if block not in done]
    require_space(part, size_of(job) * len(todo) // len(blocks))
    if scheduler:  # here it is done while the network computes; there each worker would read the slice of its block
        run_slices(measure_slice, job, sorted({block.z for block in todo}), scheduler, "gray values")
    with tqdm(total=len(blocks), initial=len(done), unit="block", disable=None) as bar:
        for block in segment(job, todo, scheduler):
            journal.add(block)
            bar.update()
    if job.instances:
        instances.add_instances(job, scheduler)
    run_slices(fill_levels, job, range(job.shape[0]), scheduler, "pyramids")
    run_slices(clean_slice, job, range(job.shape[0]), scheduler, "clean-up")


def finish(part: Path, path: Path) -> None:
    """Rename the result, and remove journal and lock."""
    part.replace(path)
    (path / JOURNAL).unlink()
    shutil.rmtree(path / LIMITS, ignore_errors=True)
    instances.remove(path)
    (path / LOCK).unlink(missing_ok=True)


@command.entry_point("continue with --resume if OUT.part is there, otherwise start again")
def main(argv: Sequence[str] | None = None) -> int:
    """Segment what the command line names."""
    options = make_parser().parse_args(argv)
    run(options)
    more = ", cells in labels/instances" if options.instances else ""
    print(f"{options.target}: probabilities, and masks in labels/mask{more}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
