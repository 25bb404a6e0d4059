"""Peak memory of one way to segment an image, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Literal

import psutil
import torch

from custom.inferers import OverlapTileInferer
from custom.networks import ValidUNet

from .inference_peers import SamePaddingUNet, one_pass, sliding

Way = Literal["tiles", "tiles, 512 MiB budget", "one pass", "sliding window"]
WAYS: tuple[Way, ...] = ("tiles", "tiles, 512 MiB budget", "one pass", "sliding window")
MIB = 2**20


def peak_rss() -> float:
    """Largest resident memory of this process so far, MiB."""
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset / MIB
    status = Path("/proc/self/status")
    if status.is_file():  # Linux counts the parent's memory in ru_maxrss
        line = next(line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    import resource  # not on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (MIB if sys.platform == "darwin" else 1024)


def measure(way: Way, size: int, features: int, roi: int) -> tuple[float, float]:
    """Peak memory in MiB beyond network and image, and in total; float32, on the CPU."""
    torch.manual_seed(0)
    image = torch.rand(1, 1, size, size)
    network = (SamePaddingUNet if way == "sliding window" else ValidUNet)(features=features).eval()
    before = psutil.Process().memory_info().rss / MIB
    if way == "sliding window":
        sliding(network, image, roi, torch.float32)
    elif way == "one pass":
        one_pass(network, image)
    else:
        budget = 512 * MIB if way == "tiles, 512 MiB budget" else None
        OverlapTileInferer(memory_budget=budget, amp=False)(image, network)
    peak = peak_rss()
    return peak - before, peak


def peak_memory(way: Way, size: int, features: int, roi: int) -> tuple[float, float]:
    """`measure` in a fresh process."""
    command = [sys.executable, "-m", __name__, way, str(size), str(features), str(roi)]
    root = Path(__file__).parents[2]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    beyond, total = json.loads(result.stdout.splitlines()[-1])
    return beyond, total


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], *map(int, sys.argv[2:]))))  # type: ignore[arg-type]
