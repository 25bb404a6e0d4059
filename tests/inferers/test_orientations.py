from __future__ import annotations

import pytest
import torch
from torch import Tensor

from custom.errors import InputError
from custom.inferers import OverlapTileInferer
from custom.inferers.orientations import DIHEDRAL, average_orientations, orient, restore

from .oracle import mirrored, random_images, random_network


def test_eight_distinct_orientations_that_restore_undoes() -> None:
    x = random_images(3, 5)
    oriented = [orient(x, *orientation) for orientation in DIHEDRAL]
    for orientation, y in zip(DIHEDRAL, oriented, strict=True):
        assert torch.equal(restore(y, *orientation), x)
    for i, y in enumerate(oriented):
        assert not any(y.shape == z.shape and torch.equal(y, z) for z in oriented[:i])


@pytest.mark.parametrize("orientations", [7, 8])
@pytest.mark.parametrize("up", ["transposed", "upsample"])
def test_softmax_of_the_result_is_the_mean_probability(orientations: int, up: str) -> None:
    network, images = random_network(up=up), random_images(29, 46, count=2)
    whole = mirrored(network, images)
    with torch.no_grad():
        versions = [restore(network(orient(whole, *o)).softmax(1), *o) for o in DIHEDRAL[:orientations]]
    mean = torch.stack(versions).mean(0)[..., network.halo : network.halo + 29, network.halo : network.halo + 46]
    for tile_size in ("auto", network.next_admissible(2 * network.margin + 2 * network.halo + 12)):
        logits = OverlapTileInferer(tile_size, orientations=orientations, amp=False)(images, network)
        torch.testing.assert_close(logits.softmax(1), mean, atol=1e-5, rtol=0)


def test_average_of_eight_turns_with_the_image() -> None:
    # Where the mirrored image has just an admissible size, each of its orientations has the same pooling grid.
    network, inferer = random_network(), OverlapTileInferer(orientations=8, amp=False)
    images = random_images(network.output_size(60), network.output_size(84))
    expected = inferer(images, network)
    for orientation in DIHEDRAL:
        turned = inferer(orient(images, *orientation), network)
        torch.testing.assert_close(turned, orient(expected, *orientation), atol=1e-5, rtol=0)


def test_extreme_logits_stay_finite() -> None:
    def predict(x: Tensor) -> Tensor:
        return torch.cat([x * 1000, -x * 1000], 1)

    result = average_orientations(predict, torch.ones(1, 1, 2, 3), 8)
    assert torch.isfinite(result).all()
    assert torch.equal(result[:, 1], torch.full((1, 2, 3), -2000.0))


def test_one_channel_has_no_softmax_to_average() -> None:
    with pytest.raises(InputError, match="one channel"):
        average_orientations(torch.sigmoid, torch.ones(1, 1, 2, 3), 7)
