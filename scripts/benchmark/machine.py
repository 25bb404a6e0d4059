"""Description of the machine that the benchmark runs on."""

from __future__ import annotations

import platform

import psutil
import torch

from custom.free_cores import usable_cores
from custom.inferers import bfloat16_is_fast

from .. import processor
from . import samples
from .results import MISSING
from .timing import version

PACKAGES = (
    "torch",
    "monai",
    "numpy",
    "scipy",
    "numba",
    "opencv-python-headless",
    "scikit-image",
    "elasticdeform",
    "albumentations",
)


def describe() -> dict[str, str]:
    """Processor, memory, GPU, threads, data and package versions, as text."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    bfloat16 = "native" if bfloat16_is_fast("cpu") else "not native"
    versions = {package: version(package) or MISSING for package in PACKAGES}
    return {
        "processor": f"{processor.name()}, {usable_cores()} cores, bfloat16 {bfloat16}",
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "GPU": gpu,
        "threads": f"1 for augmentation and weight map, {torch.get_num_threads()} for networks",
        "data": samples.source(),
        "system": f"{platform.system()}, Python {platform.python_version()}",
        "packages": ", ".join(f"{name} {number}" for name, number in versions.items()),
    }
