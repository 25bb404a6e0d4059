from __future__ import annotations

import pytest
import torch
from torch import nn

from custom.errors import UserError
from custom.inferers import OverlapTileInferer
from custom.networks import SamePaddingNetwork


def small(divisor: int = 4, halo: int = 8) -> SamePaddingNetwork:
    """Two strides down and up; an output pixel sees at most 7 input pixels to each side."""
    torch.manual_seed(0)
    return SamePaddingNetwork(
        nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.MaxPool2d(4), nn.ReLU(), nn.ConvTranspose2d(3, 2, 4, stride=4)),
        divisor,
        halo,
    ).eval()


@pytest.mark.parametrize("divisor", [1, 4, 16])
@pytest.mark.parametrize("size", [1, 15, 16, 17, 100])
def test_next_admissible_is_the_smallest_size_that_fits(divisor, size):
    network = small(divisor)
    admissible = network.next_admissible(size)
    assert 0 <= admissible - size < divisor
    assert network.output_size(admissible) == admissible
    assert admissible % divisor == 0


def test_other_sizes_are_refused_with_the_next_that_fits():
    with pytest.raises(UserError, match="input size 30 does not fit Sequential: take 32"):
        small().output_size(30)


def test_logits_are_as_large_as_the_input_and_those_of_the_network():
    network, image = small(), torch.rand(2, 1, 16, 24)
    assert network.margin == 0
    assert network(image).shape == (2, 2, 16, 24)
    assert torch.equal(network(image), network.network(image))


@pytest.mark.parametrize("tile_size", [28, 40])
def test_tiles_meet_without_seams(tile_size):
    network, image = small(), torch.rand(1, 1, 61, 83)
    tiled, whole = (OverlapTileInferer(tile_size=n, amp=False)(image, network) for n in (tile_size, 128))
    assert tiled.shape == (1, 2, 61, 83)
    torch.testing.assert_close(tiled, whole, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("divisor", "halo", "name"), [(0, 8, "divisor"), (4, -1, "halo"), (4, 1.5, "halo")])
def test_what_cannot_be_is_refused(divisor, halo, name):
    with pytest.raises(UserError, match=f"{name} is "):
        small(divisor, halo)
