from __future__ import annotations

import platform
import subprocess
import sys
from textwrap import dedent
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import torch
from monai.networks.nets import BasicUNet

from custom.errors import UserError
from custom.inferers import malloc
from custom.inferers.footprint import LiveBytes, bytes_per_pixel, default_memory_budget
from custom.inferers.geometry import geometry_of

from .oracle import random_network


def test_live_bytes_counts_what_is_alive_at_once() -> None:
    with LiveBytes() as count:
        assert (count.peak, count.live) == (0, 0)
        torch.zeros(2, dtype=torch.float64)
        assert (count.peak, count.live) == (16, 0)
        a = torch.zeros(1000)
        b = a + 1
        view = b[:500]
        del a, b
        c = torch.zeros(100)
    assert (count.peak, count.live) == (8000, 4400)
    assert len(view) + len(c) == 600


@pytest.mark.parametrize("up", ["transposed", "upsample"])
def test_estimate_bounds_a_real_pass(up: str) -> None:
    network = random_network(depth=2, up=up)
    estimate = bytes_per_pixel(network, geometry_of(network), channels=2, dtype=torch.float32)
    height, width = (network.next_admissible(size) for size in (300, 500))
    image = torch.zeros((1, 2, height, width))
    with torch.no_grad(), LiveBytes() as count:
        network(image)
    assert 0.8 < (count.peak + image.nbytes) / (height * width) / estimate <= 1


@pytest.mark.parametrize(("dtype", "size"), [(torch.float32, 4), (torch.bfloat16, 2)])
def test_one_layer_takes_its_input_and_its_output(dtype: torch.dtype, size: int) -> None:
    layer = torch.nn.Conv2d(3, 5, 1)
    assert bytes_per_pixel(layer, geometry_of(layer, halo=0, divisor=1), 3, dtype) == (3 + 5) * size


def test_bfloat16_takes_half() -> None:
    network = random_network()
    single, half = (bytes_per_pixel(network, geometry_of(network), 2, t) for t in (torch.float32, torch.bfloat16))
    assert half == single / 2


def test_networks_with_buffers_are_measured_and_left_alone() -> None:
    network = BasicUNet(spatial_dims=2, in_channels=1, features=(4, 4, 8, 8, 16, 4), norm="batch")
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    assert bytes_per_pixel(network, geometry_of(network, halo=64, divisor=16), 1, torch.float32) > 4 * 4
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_measuring_leaves_a_network_usable_by_other_threads() -> None:
    network, seen = random_network(), []
    network.register_forward_pre_hook(lambda *_: seen.extend(p.device.type for p in network.parameters()))
    bytes_per_pixel(network, geometry_of(network), 2, torch.float32)
    assert set(seen) == {"cpu"}


def test_a_function_cannot_be_measured() -> None:
    with pytest.raises(UserError, match="give tile_size"):
        bytes_per_pixel(torch.relu, geometry_of(torch.relu, halo=0, divisor=1), 1, torch.float32)


def test_default_budget_is_a_share_of_the_free_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    for free, budget in ((4000, 1000), (2**40, 2**30)):
        monkeypatch.setattr(psutil, "virtual_memory", lambda free=free: SimpleNamespace(available=free))
        assert default_memory_budget(torch.device("cpu")) == budget
    for free, budget in ((4000, 2000), (2**40, 8 * 2**30)):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _, free=free: (free, 2**41))
        assert default_memory_budget(torch.device("cuda")) == budget


def test_the_limit_of_kept_memory_is_the_largest_that_mallopt_takes() -> None:
    assert np.iinfo(np.intc).max == malloc.KEPT


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="`mallopt` is glibc's")
def test_freed_memory_is_used_again() -> None:
    lines = """
        import resource, runpy, sys, numpy
        keep_freed_memory = runpy.run_path(sys.argv[1])["keep_freed_memory"]  # without the packages around it

        def pages_fetched():
            before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
            numpy.ones(200 * 2**20, numpy.uint8)
            return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

        pages_fetched()
        usually = pages_fetched()
        keep_freed_memory()
        pages_fetched()
        print(usually, pages_fetched())
    """
    command = [sys.executable, "-c", dedent(lines), str(malloc.__file__)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    usually, kept = map(int, done.stdout.split())
    assert kept < 0.1 * usually
