"""What a run ran on."""

from __future__ import annotations

import platform
from pathlib import Path

import psutil
import torch


def hardware() -> str:
    """Name of the GPU, or of the CPU with the number of cores that PyTorch may use."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{_cpu_name()}, {len(psutil.Process().cpu_affinity() or [])} cores"


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(iter(names), platform.processor() or platform.machine())
