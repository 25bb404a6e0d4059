"""Elastic augmentation: a 512 x 512 slice with label and weights to the network's input and output sizes."""

from __future__ import annotations

import importlib
import math
from collections.abc import Hashable
from typing import Any

import numpy as np
from monai.data import MetaTensor
from numpy.typing import NDArray

from custom.networks import ValidUNet
from custom.transforms import RandElasticGrid, RandElasticGridd, WeightMap
from custom.transforms.sampling import Mode, resample

from . import samples
from .augmentation_peers import KEYS, SIGMA, Job, peers
from .results import Check, Floor, Part, Table
from .sizes import Sizes
from .timing import Call, alternate, comparison, median, speedup, threads, version

OWN = "RandElasticGridd, cubic"


def make_job(size: int, window: int) -> Job:
    """A sample as the cache holds it: image, label and weights (1, size, size)."""
    image, label = (array[None] for array in samples.mosaic(size))
    weight = WeightMap()(label)
    items: dict[Hashable, MetaTensor] = {
        key: MetaTensor(array) for key, array in zip(KEYS, (image, label, weight), strict=True)
    }
    return Job(items, window, window - 2 * ValidUNet(features=1).margin)


def own_job(job: Job, image_mode: Mode = "cubic", **placement: Any) -> Call:
    sizes = [job.window, job.target, job.target]
    modes: list[Mode] = [image_mode, "nearest", "linear"]
    transform = RandElasticGridd(KEYS, sizes, modes, grid_shape=3, sigma=SIGMA, **placement)
    return lambda: transform(dict(job.items))


def run(sizes: Sizes) -> Part:
    """Compare one sample's augmentation, on one thread."""
    part = Part(
        "augmentation",
        f"One sample on one thread: {sizes.image} x {sizes.image} image, label and weights to a {sizes.window} x "
        f"{sizes.window} input with label and weights of the output size; 3 x 3 vectors, sigma 10 pixels. Image cubic, "
        "label nearest, weights linear, unless said.",
    )
    with threads(1):
        job = make_job(sizes.image, sizes.window)
        others, absent = peers(job)
        own = {
            OWN: own_job(job),
            "RandElasticGridd, linear": own_job(job, "linear"),
            "RandElasticGridd, cubic, with rotation and flips": own_job(job, rotate_range=math.pi, flip_prob=0.5),
        }
        times = alternate({**own, **others}, sizes.rounds)
        part.tables.append(growth(sizes))
    columns = ["", "ms", f"times slower than {OWN}"]
    part.tables.insert(0, Table("Elastic augmentation", columns, comparison(times, OWN, 1e-3, absent), "bars"))
    for peer, bound in (("elasticdeform: pad, deform, crop", 25), ("MONAI: SpatialPadd, Rand2DElasticd, crop", 40)):
        if peer in times:
            part.floors.append(
                Floor(f"times faster than {peer}", speedup(times, peer, OWN), bound, limit="cv2.remap, cubic")
            )
    if version("elasticdeform"):
        part.checks += against_elasticdeform(job)
    return part


def growth(sizes: Sizes) -> Table:
    """Time by image size, which hardly matters, since the window is read directly from the image."""
    rows: list[list[Any]] = []
    for size in sizes.growth:
        call = own_job(make_job(size, sizes.window), center="uniform")
        rows.append([size, 1e3 * median(alternate({OWN: call}, sizes.rounds), OWN)])
    return Table("One window by image size", ["pixels per side", "ms"], rows)


def against_elasticdeform(job: Job) -> list[Check]:
    """Field, linear sampling with mirrored borders, and label, with the same vectors on the same window."""
    library = importlib.import_module("elasticdeform")
    image, label, _ = (np.asarray(job.items[key]) for key in KEYS)
    shape = image.shape[1:]
    transform = RandElasticGrid(shape, grid_shape=3, sigma=SIGMA)
    transform.set_random_state(0).randomize(shape)
    warp, vectors = transform.warp(), transform.vectors
    field = np.stack([warp.left @ right for right in warp.right])
    ramps = np.indices(shape).astype(np.float64)
    expected = np.stack(library.deform_grid(list(ramps), vectors, order=1, mode="nearest"))
    bottom, right = (n - 1 for n in shape)
    inside = (field[0] > 0) & (field[0] < bottom) & (field[1] > 0) & (field[1] < right)
    linear, nearest = library.deform_grid([image[0], label[0]], vectors, order=[1, 0], mode="mirror")

    def differs(own: Any, other: NDArray[Any]) -> float:
        return float(np.abs(own[0] - other.astype(np.float64)).max())

    return [
        Check(
            "field against elasticdeform, largest difference in pixels",
            float(np.abs(field - expected)[:, inside].max()),
            1e-9,
        ),
        Check(
            "linear sampling against elasticdeform, largest difference",
            differs(resample(image, warp, "linear"), linear),
            1e-4,
        ),
        Check(
            "label against elasticdeform, share of pixels that differ",
            float((resample(label, warp, "nearest")[0] != nearest).mean()),
            1e-4,
        ),
    ]
