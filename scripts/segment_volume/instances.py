"""Instances of a volume: cells of each slice, over all its blocks, then numbered through the volume.

Once a slice's probabilities are there, its cells are found block by block with ids of their own (`segment_slice`), in
a working array. When all slices are done, their ids become those of the volume: each cell its own, or, linked through
z, that of the cell below. Slices are independent of each other but for this numbering, so that each is one task.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from custom.blockwise.components import MOST_CELLS, components_in_blocks, windows
from custom.blockwise.planes import ForegroundPlane, Plane
from custom.errors import UserError
from custom.files import replace_file
from custom.transforms import ProbabilityToInstances

from . import target
from .blocks import Job, model_of
from .workers import each, run_slices

WORKING, COUNTS = "working_ids", "slices"
NUMBERED = "numbered"  # in `COUNTS`, once the working array is not needed any more
# For a pixel; measured are 140 on planes of 1,200 and 2,000 pixels per side, 800 cells.
WATERSHED_BYTES = 150


def require_memory(job: Job) -> None:
    """Raise UserError if the model's method needs contact, or a whole slice in memory and the slice is too large."""
    post = model_of(job)[0].postprocessing
    if post.method == "contact":
        raise UserError("--instances: a volume keeps no probability of contact; choose --method watershed")
    needed = WATERSHED_BYTES * job.shape[1] * job.shape[2]
    if post.method == "watershed" and needed > job.memory:
        raise UserError(
            f"--instances: a watershed of {job.shape[1]} x {job.shape[2]} pixels needs {needed / 2**30:.1f} GiB of "
            f"memory; allow that with --memory {needed / 2**30 + 0.1:.1f}, or choose --method components"
        )


def create(path: Path, job: Job, chunk: int) -> None:
    """Make what the work needs beside the result."""
    target.create_working_array(path / WORKING, job.shape, chunk)
    (path / COUNTS).mkdir()


def remove(path: Path) -> None:
    """Remove what is left of it when all is done, if it was made."""
    shutil.rmtree(path / WORKING, ignore_errors=True)
    shutil.rmtree(path / COUNTS, ignore_errors=True)


def add_instances(job: Job, scheduler: str | None) -> None:
    """Find the cells of all slices that are not done, and number them through the volume, unless that is done.

    Raises:
        UserError: more cells than ids of 32 bits; or as `each`.
    """
    depth, counts = job.shape[0], Path(job.target) / COUNTS
    if (counts / NUMBERED).exists():
        return
    todo = [z for z in range(depth) if not (counts / str(z)).exists()]
    run_slices(segment_slice, job, todo, scheduler, "instances")
    if job.link_z:
        run_slices(link_slice, job, [z for z in range(1, depth) if not _links(job, z).exists()], scheduler, "links")
    sizes = (int((counts / str(z)).read_text(encoding="utf-8")) for z in range(depth))
    # One slice's links at a time: a volume has hundreds of millions of cells.
    links = (np.load(_links(job, z)) if job.link_z and z else None for z in range(depth))
    for _ in each(number_slice, job, number(sizes, links), scheduler):
        pass
    (counts / NUMBERED).touch()


def segment_slice(job: Job, z: int) -> int:
    """Find the cells of one slice and note their number; doing it twice writes the same again."""
    folder = Path(job.target)
    post = model_of(job)[0].postprocessing
    rule = ProbabilityToInstances(**post.model_dump(exclude={"fitted_on"}))
    probability = ForegroundPlane(target.open_level(folder, target.PROBABILITY, 0, "r"), z)
    out = Plane(target.open_level(folder, WORKING, 0), z)
    if rule.method == "components":
        scratch = Plane(target.open_level(folder, target.INSTANCES, 0), z)
        count = components_in_blocks(probability, scratch, out, job.shape[1:], job.block, rule)
    else:
        whole = np.asarray(rule(probability[:, :][None])[0])
        count, out[:, :] = int(whole.max()), whole
    with replace_file(folder / COUNTS / str(z)) as temporary:
        temporary.write_text(str(count), encoding="utf-8")
    return z


def link_slice(job: Job, z: int) -> int:
    """Note which cells of slice `z` go on from slice `z - 1`: (2, n), ids of the slice before and of this one.

    A cell continues where it overlaps most, if that cell, too, overlaps it most; so no cell has two in one slice, and
    what divides keeps its id in one part.
    """
    array = target.open_level(Path(job.target), WORKING, 0, "r")
    below, here = Plane(array, z - 1), Plane(array, z)
    found = (_overlaps(below[window], here[window]) for window in windows(job.shape[1:], job.block))
    one, other, pixels = np.concatenate(list(found), axis=1)
    pairs, place = np.unique(np.stack([one, other]), axis=1, return_inverse=True)
    overlap = np.bincount(place.ravel(), pixels, minlength=pairs.shape[1])
    with replace_file(_links(job, z)) as temporary:
        np.save(temporary, pairs[:, _is_best(pairs[0], overlap) & _is_best(pairs[1], overlap)])
    return z


def _overlaps(below: NDArray, here: NDArray) -> NDArray[np.int64]:
    """Ids of the cells that overlap, and in how many pixels: (3, n). Runs of equal pairs are counted, not pixels."""
    pairs = (below.astype(np.uint64) << np.uint64(32) | here.astype(np.uint64)).ravel()
    starts = np.flatnonzero(np.append(True, pairs[1:] != pairs[:-1]))
    runs, lengths = pairs[starts], np.diff(starts, append=len(pairs))
    first, second = runs >> np.uint64(32), runs & np.uint64(2**32 - 1)
    both = (first > 0) & (second > 0)
    cells, place = np.unique(runs[both], return_inverse=True)
    pixels = np.bincount(place, lengths[both], len(cells))
    return np.stack([cells >> np.uint64(32), cells & np.uint64(2**32 - 1), pixels]).astype(np.int64)


def _links(job: Job, z: int) -> Path:
    return Path(job.target) / COUNTS / f"links_{z}.npy"


def _is_best(cells: NDArray[np.int64], overlap: NDArray) -> NDArray[np.bool_]:
    """Whether a pair is the one of its cell that overlaps most; of equal ones the first."""
    order = np.lexsort((np.arange(len(cells)), -overlap, cells))
    best = np.zeros(len(cells), bool)
    best[order[np.unique(cells[order], return_index=True)[1]]] = True
    return best


def number(sizes: Iterable[int], links: Iterable[NDArray[np.int64] | None]) -> Iterator[tuple[int, NDArray[np.uint32]]]:
    """For each slice the ids in the volume of its cells 0 (the background), 1, 2, ...

    Args:
        sizes: number of cells of each slice.
        links: for each slice what `link_slice` noted; None: its cells are not linked.

    Raises:
        UserError: more cells than ids of 32 bits.
    """
    last, before = 0, np.zeros(1, np.uint32)
    for z, (size, pairs) in enumerate(zip(sizes, links, strict=True)):
        table = np.zeros(size + 1, np.uint32)
        if pairs is not None:
            table[pairs[1]] = before[pairs[0]]
        new = np.flatnonzero(table[1:] == 0) + 1
        if last + len(new) > MOST_CELLS:
            raise UserError(
                f"more than {MOST_CELLS:,} cells; segment the volume in parts, or choose a larger --min_size"
            )
        table[new] = last + 1 + np.arange(len(new))
        last += len(new)
        yield z, table
        before = table


def number_slice(job: Job, item: tuple[int, NDArray[np.uint32]]) -> int:
    """Write the ids of one slice as those of the volume."""
    z, table = item
    folder = Path(job.target)
    local = Plane(target.open_level(folder, WORKING, 0, "r"), z)
    out = Plane(target.open_level(folder, target.INSTANCES, 0), z)
    for window in windows(job.shape[1:], job.block):
        out[window] = table[local[window]]
    return z
