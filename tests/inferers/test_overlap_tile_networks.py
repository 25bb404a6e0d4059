"""Wrapped, compiled and other networks in an overlap-tile inferer."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.parallel import DataParallel, DistributedDataParallel

from custom.errors import UserError
from custom.inferers import OverlapTileInferer

from .oracle import assert_same, one_pass, random_images, random_network


def test_no_graph_is_kept_and_arguments_reach_the_network() -> None:
    network = random_network()

    class Scaled(nn.Module):
        margin, halo, divisor, next_admissible = network.margin, 0, 4, staticmethod(network.next_admissible)

        def forward(self, x: Tensor, scale: float, *, shift: float) -> Tensor:
            return network(x) * scale + shift

    images = random_images(20, 31)
    logits = OverlapTileInferer(tile_size=100, amp=False)(images, Scaled(), 2.0, shift=1.0)
    assert not logits.requires_grad
    assert torch.is_grad_enabled()
    assert_same(logits, one_pass(network, images) * 2 + 1)


@pytest.fixture
def process_group(tmp_path: Path) -> Iterator[None]:
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


@pytest.fixture
def nothing_compiled() -> Iterator[None]:
    """What was compiled for other tests would make the compiler try free sizes, which takes a minute."""
    torch.compiler.reset()
    yield
    torch.compiler.reset()


@pytest.mark.usefixtures("process_group", "nothing_compiled")
def test_wrapped_networks() -> None:
    network, images = random_network(depth=1, features=2), random_images(33, 50)
    expected = one_pass(network, images)
    compiled = torch.compile(network, backend="eager")
    for wrapped in (DataParallel(network), DistributedDataParallel(network), compiled, DataParallel(compiled)):
        assert_same(OverlapTileInferer(amp=False)(images, wrapped), expected)


@pytest.mark.usefixtures("nothing_compiled")
def test_compile_happens_once_for_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    eager = functools.partial(torch.compile, backend="eager")
    monkeypatch.setattr(torch, "compile", lambda network, **how: calls.append(network) or eager(network, **how))
    inferer, images = OverlapTileInferer(compile=True, amp=False), random_images(20, 31)
    first, second = random_network(depth=1, features=2), random_network(depth=1, features=4)
    for network in (first, first, second):
        assert_same(inferer(images, network), one_pass(network, images))
    assert calls == [first, second]


@pytest.mark.usefixtures("nothing_compiled")
def test_tile_sizes_are_compiled_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[list[Any]] = []

    def backend(graph: torch.fx.GraphModule, inputs: list[Any]) -> Any:
        compiled.append(inputs)
        return graph.forward

    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=backend))
    inferer, network = OverlapTileInferer(compile=True, amp=False), random_network(depth=1, features=2)
    for height in (20, 31):
        images = random_images(height, 25)
        assert_same(inferer(images, network), one_pass(network, images))
    assert len(compiled) == 2
    assert all(isinstance(x, Tensor) for inputs in compiled for x in inputs)  # a free size would be an input, too


class SamePadding(nn.Module):
    """A foreign network: keeps the size, pools once, receptive radius 1 + 2 = 3, rounded up to its grid."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(2, 4, 3, padding=1)
        self.second = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.second(torch.max_pool2d(self.first(x).relu(), 2))
        return nn.functional.interpolate(x, scale_factor=2.0)


@pytest.mark.parametrize("tile_size", ["auto", 20])
def test_networks_that_pad(tile_size: Any) -> None:
    network, images = SamePadding().eval(), random_images(33, 50)
    padded = torch.from_numpy(np.pad(images.numpy(), ((0, 0), (0, 0), (4, 5), (4, 4)), mode="reflect"))
    with torch.no_grad():
        expected = network(padded)[:, :, 4:37, 4:54]
    inferer = OverlapTileInferer(tile_size, amp=False, halo=4, divisor=2)
    assert_same(inferer(images, network), expected)


def test_functions_that_lose_a_margin() -> None:
    images = random_images(13, 24)
    kernel = torch.rand(3, 2, 5, 5)
    expected = nn.functional.conv2d(
        torch.from_numpy(np.pad(images, ((0, 0), (0, 0), (2, 2), (2, 2)), "reflect")), kernel
    )
    inferer = OverlapTileInferer(12, amp=False, margin=2, halo=0, divisor=1, progress=True)
    assert_same(inferer(images, lambda x: nn.functional.conv2d(x, kernel)), expected)


def test_unknown_or_wrong_geometry() -> None:
    images = random_images(20, 31)
    with pytest.raises(UserError, match="SamePadding has no attribute `halo`"):
        OverlapTileInferer()(images, SamePadding())
    with pytest.raises(UserError, match="by margin 1"):
        OverlapTileInferer(margin=1, halo=4, divisor=2)(images, SamePadding())
    with pytest.raises(UserError, match="divisor is 0"):
        OverlapTileInferer(halo=4, divisor=0)(images, SamePadding())
