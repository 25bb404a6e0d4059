"""The hardware of a run."""

from __future__ import annotations

import torch

from custom.free_cores import usable_cores

from .. import processor


def hardware() -> str:
    """Name of the GPU, or of the CPU with the number of cores that PyTorch may use."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{processor.name()}, {usable_cores()} cores"
