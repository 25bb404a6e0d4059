from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from custom.errors import UserError
from custom.inferers import OverlapTileInferer, overlap_tile
from custom.inferers.footprint import bytes_per_pixel
from custom.inferers.geometry import geometry_of
from custom.inferers.orientations import DIHEDRAL, average_orientations, orient, restore, reversed_axes
from custom.inferers.tiling import shift_to_end

from .oracle import one_pass, random_images, random_network


def test_eight_distinct_orientations_that_restore_undoes() -> None:
    x = random_images(3, 5)
    oriented = [orient(x, *orientation) for orientation in DIHEDRAL]
    for orientation, y in zip(DIHEDRAL, oriented, strict=True):
        assert torch.equal(restore(y, *orientation), x)
    for i, y in enumerate(oriented):
        assert not any(y.shape == z.shape and torch.equal(y, z) for z in oriented[:i])


@pytest.mark.parametrize(("turns", "mirrored"), DIHEDRAL)
def test_axes_that_are_read_from_their_end(turns: int, mirrored: bool) -> None:
    places = torch.arange(15).reshape(3, 5)
    origin = int(orient(places, turns, mirrored)[0, 0])
    assert (origin // 5 == 2, origin % 5 == 4) == reversed_axes(turns, mirrored)


def mean_of_whole_images(network: Any, images: Tensor, orientations: int) -> Tensor:
    """The definition: turn the image, predict all of it, turn the probabilities back, average."""
    versions = [restore(one_pass(network, orient(images, *o)).softmax(1), *o) for o in DIHEDRAL[:orientations]]
    return torch.stack(versions).mean(0)


@pytest.mark.parametrize("orientations", [7, 8])
@pytest.mark.parametrize("up", ["transposed", "upsample"])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (28, 35), (29, 46), (11, 64)])
def test_softmax_of_the_result_is_the_mean_probability(orientations: int, up: str, height: int, width: int) -> None:
    network, images = random_network(up=up, features=2), random_images(height, width, count=2)
    mean = mean_of_whole_images(network, images, orientations)
    small = network.next_admissible(2 * (network.margin + network.halo) + 15)
    for tile_size, batch_size in (("auto", 1), (small, 3)):
        logits = OverlapTileInferer(tile_size, batch_size, orientations=orientations, amp=False)(images, network)
        torch.testing.assert_close(logits.softmax(1), mean, atol=1e-5, rtol=0)


def test_windows_of_an_average_equal_the_whole() -> None:
    network, images = random_network(features=2), random_images(45, 70)
    mean = mean_of_whole_images(network, images, 8)
    inferer = OverlapTileInferer(network.next_admissible(2 * network.margin + 20), orientations=8, amp=False)
    for rows, columns in ((slice(0, 32), slice(32, 70)), (slice(13, 45), slice(5, 6))):
        logits = inferer.predict_roi(images, network, (rows, columns))
        torch.testing.assert_close(logits.softmax(1), mean[:, :, rows, columns], atol=1e-5, rtol=0)


def test_average_of_eight_turns_with_the_image() -> None:
    network, inferer = random_network(features=2), OverlapTileInferer(orientations=8, amp=False)
    images = random_images(26, 39)
    expected = inferer(images, network)
    for orientation in DIHEDRAL:
        turned = inferer(orient(images, *orientation), network)
        torch.testing.assert_close(turned, orient(expected, *orientation), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("count", "sizes"), [(8, [4, 4]), (7, [4, 3])])
def test_orientations_together_are_two_batches_with_the_same_mean(count: int, sizes: list[int]) -> None:
    network, x = random_network(features=2), random_images(63, 76)
    seen: list[int] = []

    def predict(tiles: Tensor) -> Tensor:
        seen.append(len(tiles))
        return network(tiles)

    with torch.no_grad():
        one_by_one = average_orientations(predict, x, count, (3, 0))
        assert seen == [1] * count
        together = average_orientations(predict, x, count, (3, 0), together=True)
    assert seen[count:] == sizes
    torch.testing.assert_close(together, one_by_one, atol=1e-5, rtol=0)


def test_small_tiles_are_predicted_together_within_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    network, images = random_network(features=2), random_images(45, 30)
    sizes: list[int] = []

    def record(module: Any, given: tuple[Tensor, ...]) -> None:
        if given[0].device.type != "meta":  # on which the memory is measured
            sizes.append(len(given[0]))

    network.register_forward_pre_hook(record)

    def passes(**arguments: Any) -> list[int]:
        sizes.clear()
        OverlapTileInferer(orientations=8, amp=False, **arguments)(images, network)
        return sizes.copy()

    assert passes() == [4, 4]
    assert passes(tile_size=network.next_admissible(45 + 2 * network.margin + 16)) == [1] * 8
    geometry = geometry_of(network, None, None, None)
    area = [geometry.input_size(size + shift_to_end(geometry, size)) for size in (45, 30)]
    per_pixel = bytes_per_pixel(network, geometry, 2, torch.float32)
    assert passes(memory_budget=int(per_pixel * math.prod(area)) * 4 + 100)[0] == 4
    assert set(passes(memory_budget=int(per_pixel * math.prod(area)) * 2)) == {1}
    monkeypatch.setattr(overlap_tile, "FEW_PIXELS", math.prod(area) - 1)
    assert passes() == [1] * 8


def test_extreme_logits_stay_finite() -> None:
    def predict(x: Tensor) -> Tensor:
        return torch.cat([x * 1000, -x * 1000], 1)

    result = average_orientations(predict, torch.ones(1, 1, 2, 3), 8)
    assert torch.isfinite(result).all()
    assert torch.equal(result[:, 1], torch.full((1, 2, 3), -2000.0))


def test_one_channel_has_no_softmax_to_average() -> None:
    with pytest.raises(UserError, match="one channel"):
        average_orientations(torch.sigmoid, torch.ones(1, 1, 2, 3), 7)
