from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import zarr
from monai.data import MetaTensor
from torch import Tensor, nn
from torch.nn.parallel import DataParallel, DistributedDataParallel

from custom.errors import UserError
from custom.inferers import OverlapTileInferer, overlap_tile
from custom.inferers.footprint import LiveBytes, bytes_per_pixel
from custom.inferers.geometry import geometry_of
from custom.networks.valid_unet import ValidUNet

from .oracle import one_pass, random_images, random_network


def tile(network: ValidUNet, kept: int) -> int:
    """Input size of a tile that keeps at least `kept` pixels."""
    return network.next_admissible(kept + 2 * (network.margin + network.halo))


def assert_same(logits: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(logits, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("up", ["transposed", "upsample"])
@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 9), (7, 50), (61, 33), (100, 37)])
def test_tiled_equals_one_pass(depth: int, up: str, height: int, width: int) -> None:
    network, images = random_network(depth, up, features=2), random_images(height, width, count=2)
    expected = one_pass(network, images)
    assert expected.shape == (2, 3, height, width)
    smallest = max(tile(network, network.divisor), tile(network, 8))  # hundreds of tiles of fewer pixels take long
    for tile_size, batch_size in (("auto", 1), (smallest, 3), (tile(network, 23), 1), (tile(network, 23), 4)):
        assert_same(OverlapTileInferer(tile_size, batch_size, amp=False)(images, network), expected)


def test_smallest_tiles_equal_one_pass() -> None:
    network, images = random_network(depth=1, features=2), random_images(17, 9)
    expected = one_pass(network, images)
    assert_same(OverlapTileInferer(tile(network, 1), 5, amp=False)(images, network), expected)


def test_tiled_equals_one_pass_at_the_paper_depth() -> None:
    network, images = random_network(depth=4), random_images(217, 130)
    assert_same(OverlapTileInferer(252, amp=False)(images, network), one_pass(network, images))


class InDouble(nn.Module):
    """The network computed in float64, so that nothing but the rounding of its output is left."""

    def __init__(self, network: ValidUNet) -> None:
        super().__init__()
        self.network = network.double()
        self.margin, self.halo, self.divisor = network.margin, network.halo, network.divisor
        self.next_admissible = network.next_admissible

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x.double())


@pytest.mark.parametrize("up", ["transposed", "upsample"])
def test_what_differs_is_rounding_alone(up: str) -> None:
    network, images = InDouble(random_network(depth=3, up=up)), random_images(45, 100)
    expected = one_pass(network, images).float()
    logits = OverlapTileInferer(network.next_admissible(2 * network.margin + 60), amp=False)(images, network)
    torch.testing.assert_close(logits, expected, atol=2e-7, rtol=0)


def test_every_height_has_an_answer() -> None:
    network = random_network(depth=1)
    inferer = OverlapTileInferer(tile(network, 6), amp=False)
    for height in range(1, 20):
        images = random_images(height, 3)
        assert_same(inferer(images, network), one_pass(network, images))


def test_an_unaligned_stride_would_leave_seams() -> None:
    # The reason for aligned tiles: origins off the pooling grid give other logits.
    network, images = random_network(), random_images(64, 48)
    shifted = one_pass(network, images.roll(-1, 2))[:, :, 16:32]
    assert (shifted - one_pass(network, images)[:, :, 17:33]).abs().max() > 1e-3


@pytest.mark.parametrize("start", [(0, 0), (4, 16), (13, 27)])
def test_windows_of_an_image_equal_the_whole(start: tuple[int, int]) -> None:
    network, images = random_network(up="upsample"), random_images(61, 83)
    whole = one_pass(network, images)
    roi = slice(start[0], start[0] + 41), slice(start[1], 83)
    logits = OverlapTileInferer(tile(network, 16), amp=False).predict_roi(images, network, roi)
    assert_same(logits, whole[:, :, roi[0], roi[1]])


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


def test_integer_images_are_cast_not_scaled() -> None:
    network = random_network()
    images = (random_images(20, 31) * 2).round().byte()
    expected = one_pass(network, images.float())
    inferer = OverlapTileInferer(amp=False)
    assert_same(inferer(images, network), expected)
    assert_same(inferer(images.numpy(), network), expected)


def test_metadata_survives() -> None:
    network, images = random_network(), random_images(20, 31)
    logits = OverlapTileInferer()(MetaTensor(images, meta={"filename_or_obj": "a.png"}), network)
    assert isinstance(logits, MetaTensor)
    assert logits.meta["filename_or_obj"] == "a.png"
    assert type(OverlapTileInferer()(images, network)) is Tensor


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


@pytest.mark.parametrize("features", [4, 16])
def test_bfloat16_stays_within_its_bound(features: int) -> None:
    torch.manual_seed(features)
    network, images = ValidUNet(in_channels=2, features=features).eval(), random_images(120, 90)
    exact, fast = (OverlapTileInferer(amp=amp)(images, network) for amp in (False, True))
    assert fast.dtype == torch.float32
    difference = (exact.softmax(1) - fast.softmax(1)).abs()
    assert 0 < difference.max() < 0.06


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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tile_size": 0}, "tile_size"),
        ({"tile_size": "large"}, "tile_size"),
        ({"batch_size": 0}, "batch_size"),
        ({"memory_budget": 0}, "memory_budget"),
        ({"orientations": 4}, "orientations"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        OverlapTileInferer(**arguments)


def test_bad_input() -> None:
    network, images = random_network(), random_images(20, 31)
    inferer = OverlapTileInferer(amp=False)
    with pytest.raises(UserError, match=r"\(2, 20, 31\)"):
        inferer(images[0], network)
    with pytest.raises(UserError, match="at least one pixel"):
        inferer(images[..., :0], network)
    with pytest.raises(UserError, match=r"out has shape \(1, 3, 20, 30\)"):
        inferer(images, network, out=torch.empty(1, 3, 20, 30))
    for roi in ((slice(0, 21), slice(0, 31)), (slice(5, 5), slice(0, 31)), (slice(-1, 5), slice(0, 31))):
        with pytest.raises(UserError, match="rows"):
            inferer.predict_roi(images, network, roi)
    with pytest.raises(UserError, match="memory_budget"):
        OverlapTileInferer(memory_budget=1000)(images, network)


def test_unknown_or_wrong_geometry() -> None:
    images = random_images(20, 31)
    with pytest.raises(UserError, match="SamePadding has no attribute `halo`"):
        OverlapTileInferer()(images, SamePadding())
    with pytest.raises(UserError, match="by margin 1"):
        OverlapTileInferer(margin=1, halo=4, divisor=2)(images, SamePadding())
    with pytest.raises(UserError, match="divisor is 0"):
        OverlapTileInferer(halo=4, divisor=0)(images, SamePadding())
