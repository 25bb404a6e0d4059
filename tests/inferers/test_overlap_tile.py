"""Tiled predictions equal those of the whole image."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from monai.data import MetaTensor
from torch import Tensor, nn

from custom.errors import UserError
from custom.inferers import OverlapTileInferer
from custom.networks.valid_unet import ValidUNet

from .oracle import assert_same, one_pass, random_images, random_network, tile


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


@pytest.mark.parametrize("features", [4, 16])
def test_bfloat16_stays_within_its_bound(features: int) -> None:
    torch.manual_seed(features)
    network, images = ValidUNet(in_channels=2, features=features).eval(), random_images(120, 90)
    exact, fast = (OverlapTileInferer(amp=amp)(images, network) for amp in (False, True))
    assert fast.dtype == torch.float32
    difference = (exact.softmax(1) - fast.softmax(1)).abs()
    assert 0 < difference.max() < 0.06


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
