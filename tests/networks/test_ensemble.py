from __future__ import annotations

import pytest
import torch

from custom.errors import UserError
from custom.inferers import OverlapTileInferer
from custom.networks import Ensemble, SamePaddingNetwork, ValidUNet, build_network


def members(*features: int) -> list[ValidUNet]:
    torch.manual_seed(0)
    return [ValidUNet(features=width, depth=2).eval() for width in features]


def test_probabilities_are_the_mean_of_the_members():
    networks, image = members(2, 4, 3), torch.rand(2, 1, 60, 76)
    mean = torch.stack([network(image).softmax(1) for network in networks]).mean(0)
    torch.testing.assert_close(Ensemble(networks)(image).softmax(1), mean)


def test_the_mean_over_tiles_and_orientations_is_that_of_the_members():
    networks, image = members(2, 3), torch.rand(1, 1, 45, 70)
    inferer = OverlapTileInferer(orientations=8)
    mean = torch.stack([inferer(image, network).softmax(1) for network in networks]).mean(0)
    torch.testing.assert_close(inferer(image, Ensemble(networks)).softmax(1), mean, atol=1e-5, rtol=0)


def test_certain_members_do_not_overflow():
    networks = members(2, 2)
    for network, sign in zip(networks, (1, -1), strict=True):
        network.classify.bias.data = torch.tensor([200.0, -200.0]) * sign
    probability = Ensemble(networks)(torch.rand(1, 1, 44, 60)).softmax(1)
    torch.testing.assert_close(probability, torch.full_like(probability, 0.5))


def test_geometry_is_that_of_the_members():
    ensemble, (one, _) = Ensemble(members(2, 3)), members(2, 3)
    assert (ensemble.margin, ensemble.halo, ensemble.divisor) == (one.margin, one.halo, one.divisor)
    assert [ensemble.next_admissible(n) for n in (1, 45, 100)] == [one.next_admissible(n) for n in (1, 45, 100)]
    assert ensemble.output_size(one.next_admissible(90)) == one.output_size(one.next_admissible(90))


def test_torchscript_gives_the_same():
    ensemble, image = Ensemble(members(2, 3)).eval(), torch.rand(1, 1, 44, 60)
    torch.testing.assert_close(torch.jit.script(ensemble)(image), ensemble(image))


def test_members_have_to_fit_together():
    with pytest.raises(UserError, match="the same depth and padding"):
        Ensemble([ValidUNet(features=2, depth=1), ValidUNet(features=2, depth=2)])
    with pytest.raises(UserError, match="at least one member"):
        Ensemble([])
    with pytest.raises(UserError, match="Conv2d has no known geometry"):
        Ensemble([torch.nn.Conv2d(1, 2, 3)])
    assert Ensemble([SamePaddingNetwork(torch.nn.Conv2d(1, 2, 3, padding=1), 1, 1)]).margin == 0


def test_it_is_built_from_a_definition():
    parts = [{"_target_": "ValidUNet", "features": width, "depth": 2} for width in (2, 3)]
    network = build_network({"_target_": "Ensemble", "members": parts}, "model.json")
    assert [member.classify.in_channels for member in network.members] == [2, 3]
    parts[1]["depth"] = 1
    with pytest.raises(UserError, match=r"model\.json: network_def does not make a Ensemble .*same depth"):
        build_network({"_target_": "Ensemble", "members": parts}, "model.json")
