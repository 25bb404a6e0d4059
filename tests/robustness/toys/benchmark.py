"""`scripts.benchmark` on images of some hundred pixels."""

from __future__ import annotations

from collections.abc import Sequence
from unittest import mock

import numpy as np

from scripts.benchmark import __main__ as benchmark
from scripts.benchmark import samples, timing
from scripts.benchmark.sizes import Sizes

SIZES = Sizes(
    rounds=1,
    long_rounds=1,
    network_rounds=1,
    image=160,
    mosaic=128,
    growth=(64,),
    grid=64,
    cells=(2,),
    features=2,
    volume=(2, 96, 130),
    volume_block=64,
)


def main(words: Sequence[str]) -> int:
    """As the command."""
    image = np.random.default_rng(0).random((512, 512), np.float32)
    label = np.kron(np.ones((16, 16), np.uint8), np.pad(np.ones((28, 28), np.uint8), 2))
    with (
        mock.patch.object(benchmark, "QUICK", SIZES),
        mock.patch.object(timing, "TURN", 0.0),
        mock.patch.object(samples, "pieces", return_value=[(image, label)]),
    ):
        return benchmark.main(words)
