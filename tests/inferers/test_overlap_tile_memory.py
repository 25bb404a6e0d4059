"""Memory of the overlap-tile inferer: tiles, batches, arrays on disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import zarr
from torch import nn

from custom.inferers import OverlapTileInferer, overlap_tile
from custom.inferers.footprint import LiveBytes, bytes_per_pixel
from custom.inferers.geometry import geometry_of

from .oracle import assert_same, one_pass, random_images, random_network, tile


def test_memory_is_bounded_by_the_budget_and_the_output(monkeypatch: pytest.MonkeyPatch) -> None:
    network, budget = random_network(), 3 * 2**20
    estimate = bytes_per_pixel(network, geometry_of(network), channels=2, dtype=torch.float32)
    # Measured beforehand, because tensors without values would be counted too.
    monkeypatch.setattr(overlap_tile, "bytes_per_pixel", lambda *_: estimate)
    for height in (200, 800):
        images = random_images(height, 321)
        with LiveBytes() as count:
            logits = OverlapTileInferer(memory_budget=budget, amp=False)(images, network)
        # Beside image, output and pass there are the tile as it was cut out and the last tile's logits.
        assert 0.5 * budget < count.peak - images.nbytes - logits.nbytes < 1.1 * budget


@contextmanager
def recorded_tiles(network: nn.Module) -> Iterator[list[torch.Size]]:
    """The list of the shapes of all inputs of the network."""
    shapes: list[torch.Size] = []
    hook = network.register_forward_pre_hook(lambda _, inputs: shapes.append(inputs[0].shape))
    yield shapes
    hook.remove()


def test_batches_and_tile_size_are_as_asked() -> None:
    network, images = random_network(), random_images(90, 70)
    size = tile(network, 30)
    with recorded_tiles(network) as shapes:
        OverlapTileInferer(size, batch_size=4, amp=False)(images, network)
    assert [shape[0] for shape in shapes] == [4, 4, 1]
    assert all(max(shape[2:]) <= size for shape in shapes)


def test_auto_takes_one_tile_where_memory_allows() -> None:
    network, images = random_network(), random_images(130, 90)
    counts = []
    for budget in (2**30, 2**20):
        with recorded_tiles(network) as shapes:
            OverlapTileInferer(memory_budget=budget, amp=False)(images, network)
        counts.append(len(shapes) - 1)  # the first pass measures the memory
    assert counts[0] == 1
    assert counts[1] > 1


def test_in_bfloat16_a_budget_holds_larger_tiles() -> None:
    network, images = random_network(), random_images(130, 90)
    geometry = geometry_of(network)
    per_pixel = bytes_per_pixel(network, geometry, channels=2, dtype=torch.float32)
    budget = int(0.75 * per_pixel * geometry.input_size(130) * geometry.input_size(90))
    counts = {}
    for amp in (True, False):
        with recorded_tiles(network) as shapes:
            OverlapTileInferer(memory_budget=budget, amp=amp)(images, network)
        counts[amp] = len(shapes) - 1  # the first pass measures the memory
    assert counts[True] == 1
    assert counts[False] > 1


def test_source_and_output_on_disk(tmp_path: Path) -> None:
    network, images = random_network(), random_images(75, 52, count=2)
    expected = one_pass(network, images)
    inferer = OverlapTileInferer(tile(network, 24), amp=False)

    source = np.memmap(tmp_path / "in", np.float32, "w+", shape=tuple(images.shape))
    source[:] = images.numpy()
    out = np.memmap(tmp_path / "out", np.float32, "w+", shape=tuple(expected.shape))
    assert inferer(source, network, out=out) is out
    assert_same(torch.from_numpy(np.array(out)), expected)

    stored = zarr.create_array(tmp_path / "in.zarr", data=images.numpy(), chunks=(1, 2, 20, 20))
    target = zarr.create_array(tmp_path / "out.zarr", shape=expected.shape, chunks=(1, 3, 24, 24), dtype="float32")
    inferer(stored, network, out=target)
    assert_same(torch.from_numpy(target[:]), expected)
    assert_same(inferer(stored, network), expected)


class Reads:
    """An array that notes the windows read from it."""

    def __init__(self, array: np.ndarray) -> None:
        self.array, self.shape, self.largest = array, array.shape, 0

    def __getitem__(self, key: Any) -> np.ndarray:
        part = self.array[key]
        self.largest = max(self.largest, part.size)
        return part


def test_source_is_read_a_tile_at_a_time() -> None:
    network, images = random_network(), random_images(300, 200)
    source, size = Reads(images.numpy()), tile(network, 24)
    OverlapTileInferer(size, amp=False)(source, network)
    assert source.largest <= 2 * size**2
