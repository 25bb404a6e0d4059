"""The numbers of `docs/scaling.md` are those of the network and of the formulas beside them."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from custom.networks import ValidUNet
from scripts.benchmark.matrix import forward_operations

PAGE = (Path(__file__).parents[3] / "docs" / "scaling.md").read_text()
SPEED = 100e12  # operations a second
LINKS = {"NVLink": 150e9, "100 Gb/s": 12.5e9}  # bytes a second


@pytest.fixture(scope="module")
def work() -> tuple[int, float]:
    """Bytes of the gradients, and seconds of a tile."""
    with torch.device("meta"):
        network = ValidUNet()
    operations, parameters = forward_operations(network, 572), sum(p.numel() for p in network.parameters())
    for number in (f"{parameters:,}", f"{4 * parameters / 1e6:.0f} MB", f"{operations / 1e9:.0f} GFLOP"):
        assert number in PAGE
    assert f"{3 * operations / 1e9:.0f} GFLOP" in PAGE
    return 4 * parameters, 3 * operations / SPEED


@pytest.mark.parametrize(("gpus", "link"), [(1, None), (8, "NVLink"), (8, "100 Gb/s"), (64, "100 Gb/s")])
def test_the_rows_are_computed(work, gpus, link):
    size, tile = work
    traffic = 2 * (gpus - 1) / gpus * size
    wait = traffic / LINKS[link] if link else 0.0

    def efficiency(batch: int, hidden: float) -> str:
        compute = batch * tile
        return f"{100 * compute / (compute + max(0.0, wait - hidden * compute)):.0f} %"

    apart = [efficiency(batch, 0) for batch in (1, 4, 16)]
    overlapped = [efficiency(batch, 2 / 3) for batch in (1, 4, 16)]
    enough = max(1, math.ceil(1.5 * wait / tile))
    cells = [str(gpus), link or "none", f"{traffic / 1e6:.0f} MB", f"{1e3 * wait:.1f} ms"]
    row = "| " + " | ".join([*cells, " / ".join(apart), " / ".join(overlapped), str(enough)]) + " |"
    assert row in PAGE, row
