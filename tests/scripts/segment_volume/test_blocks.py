"""What is read ahead of a block, and how long the network waits."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from scripts.segment_volume import blocks


def test_the_clock_of_the_network(monkeypatch):
    times = iter([10.0, 12.0, 15.0, 17.0])
    monkeypatch.setattr(blocks, "time", SimpleNamespace(perf_counter=lambda: next(times)))
    clock = blocks.Clock()
    for _ in range(2):
        with clock:
            pass
    assert (clock.seconds, clock.first, clock.last) == (4.0, 10.0, 17.0)
    assert clock.waiting == pytest.approx(3 / 7)


def test_what_is_not_prefetched_is_read():
    source = np.arange(2 * 30 * 40).reshape(1, 2, 30, 40)
    part = blocks.Prefetched(source, slice(0, 10), slice(20, 30), 3)
    assert part.pixels.shape == (2, 13, 16)
    for rows, columns in ((slice(2, 13), slice(17, 33)), (slice(2, 14), slice(20, 25)), (slice(0, 5), slice(9, 20))):
        np.testing.assert_array_equal(part[0, slice(None), rows, columns], source[0, :, rows, columns])
