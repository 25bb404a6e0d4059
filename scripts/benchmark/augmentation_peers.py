"""The augmentation of one training sample in other libraries: pad, deform, crop image, label and weights.

Each function takes an image, a label and weights (1, H, W) and returns a function that deforms them.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from monai.transforms import CenterSpatialCropd, Compose, Rand2DElasticd, SpatialPadd
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from scipy.signal import convolve2d

from .timing import Call, version

SIGMA = 10.0
KEYS = ["image", "label", "weight"]


@dataclass(frozen=True)
class Job:
    """Items (1, H, W) of one sample, and the output sizes: image (window, window), the others (target, target)."""

    items: Mapping[Hashable, Any]
    window: int
    target: int

    @property
    def padded(self) -> int:
        """Room for the window and displacements of six standard deviations around it."""
        return self.window + 128

    def arrays(self, size: int) -> list[NDArray[Any]]:
        """Image, label and weights with mirrored borders, centred in (size, size)."""
        before = (size - self.items["image"].shape[-1]) // 2
        after = size - self.items["image"].shape[-1] - before
        return [np.pad(np.asarray(self.items[key])[0], (before, after), "reflect") for key in KEYS]


def centre(size: int, part: int) -> list[slice]:
    """Slices of the centre (part, part) of (size, size)."""
    start = (size - part) // 2
    return [slice(start, start + part)] * 2


def elasticdeform_job(job: Job) -> Call:
    """As its manual shows: pad, `deform_random_grid`, crop."""
    library = importlib.import_module("elasticdeform")

    def call() -> list[NDArray[Any]]:
        out = library.deform_random_grid(job.arrays(job.padded), sigma=SIGMA, points=3, order=[3, 0, 1], mode="mirror")
        sizes = (job.window, job.target, job.target)
        return [array[tuple(centre(job.padded, size))] for array, size in zip(out, sizes, strict=True)]

    return call


def elasticdeform_cropped(job: Job) -> Call:
    """With its `crop` argument, which skips the margin; two calls, because it crops all arrays to the same size."""
    library = importlib.import_module("elasticdeform")

    def call() -> list[NDArray[Any]]:
        vectors = np.random.normal(0, SIGMA, (2, 3, 3))
        image, *others = job.arrays(job.padded)
        crops = [centre(job.padded, size) for size in (job.window, job.target)]
        deformed = library.deform_grid(image, vectors, order=3, mode="mirror", crop=crops[0])
        return [deformed, *library.deform_grid(others, vectors, order=[0, 1], mode="mirror", crop=crops[1])]

    return call


def monai_job(job: Job, padded: bool = True) -> Call:
    """`SpatialPadd`, `Rand2DElasticd`, crop; or without padding, through the sampling's own mirrored borders."""
    size = job.padded if padded else job.window
    transform = Compose(
        [
            *([SpatialPadd(KEYS, size, mode="reflect")] if padded else []),
            Rand2DElasticd(
                KEYS,
                spacing=(size // 2, size // 2),
                magnitude_range=(SIGMA, SIGMA),
                spatial_size=size,
                prob=1.0,
                mode=["bicubic", "nearest", "bilinear"],
                padding_mode="reflection",
            ),
            CenterSpatialCropd("image", job.window),
            CenterSpatialCropd(["label", "weight"], job.target),
        ]
    )
    return lambda: transform(job.items)


def albumentations_job(job: Job, name: str, **arguments: Any) -> Call:
    """Pad, the transform `name`, cubic, crop; the label is cropped once more, the weights are passed as an image."""
    library = importlib.import_module("albumentations")
    transform = library.Compose(
        [
            library.PadIfNeeded(job.padded, job.padded, border_mode=cv2.BORDER_REFLECT_101),
            getattr(library, name)(interpolation=cv2.INTER_CUBIC, border_mode=cv2.BORDER_REFLECT_101, p=1, **arguments),
            library.CenterCrop(job.window, job.window),
        ],
        additional_targets={"weight": "image"},
    )
    image, label, weight = (np.ascontiguousarray(np.asarray(job.items[key])[0]) for key in KEYS)
    inner = tuple(centre(job.window, job.target))

    def call() -> list[NDArray[Any]]:
        out = transform(image=image[..., None], mask=label, weight=weight[..., None])
        return [out["image"], out["mask"][inner], out["weight"][inner]]

    return call


def simard_job(job: Job) -> Call:
    """A common reproduction: smoothed noise by `convolve2d` (3 x 3, alpha 5), `map_coordinates` of order 1."""
    weights = np.exp(-((np.arange(3) - 1.5) ** 2) / 200)
    kernel = np.outer(weights, weights) / weights.sum() ** 2

    def call() -> list[NDArray[Any]]:
        image, *others = job.arrays(job.window)
        field = [5 * convolve2d(np.random.uniform(-1, 1, image.shape), kernel, mode="same") for _ in range(2)]
        coordinates = np.indices(image.shape) + field
        inner = tuple(centre(job.window, job.target))
        orders = (1, 0, 1)
        places = (coordinates, coordinates[:, *inner], coordinates[:, *inner])
        return [
            map_coordinates(array, place, order=order, mode="mirror")
            for array, place, order in zip((image, *others), places, orders, strict=True)
        ]

    return call


PEERS: dict[str, tuple[str, Callable[[Job], Call]]] = {
    "elasticdeform: pad, deform, crop": ("elasticdeform", elasticdeform_job),
    "elasticdeform with its crop argument": ("elasticdeform", elasticdeform_cropped),
    "MONAI: SpatialPadd, Rand2DElasticd, crop": ("monai", monai_job),
    "MONAI: Rand2DElasticd without padding": ("monai", lambda job: monai_job(job, padded=False)),
    "scipy: Simard field, map_coordinates (linear)": ("scipy", simard_job),
    "albumentations ElasticTransform": (
        "albumentations",
        lambda job: albumentations_job(job, "ElasticTransform", alpha=1000, sigma=50),
    ),
    "albumentations ElasticTransform, approximate": (
        "albumentations",
        lambda job: albumentations_job(job, "ElasticTransform", alpha=1000, sigma=50, approximate=True),
    ),
    "albumentations ThinPlateSpline": ("albumentations", lambda job: albumentations_job(job, "ThinPlateSpline")),
    "albumentations GridDistortion (a simpler field)": (
        "albumentations",
        lambda job: albumentations_job(job, "GridDistortion", num_steps=2),
    ),
}


def peers(job: Job) -> tuple[dict[str, Call], list[str]]:
    """The candidates that can run here, and the names of those whose package is not installed."""
    present = {name: make(job) for name, (package, make) in PEERS.items() if version(package)}
    return present, [name for name in PEERS if name not in present]
