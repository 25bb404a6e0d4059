from __future__ import annotations

import numpy as np
import pytest
import torch

from custom.errors import UserError
from custom.inferers import OverlapTileInferer
from custom.networks import Ensemble, ValidUNet
from custom.transforms import EnsembleDisagreementd


def networks(count: int) -> list[ValidUNet]:
    torch.manual_seed(1)
    return [ValidUNet(features=2, depth=1).eval() for _ in range(count)]


def test_it_is_the_standard_deviation_of_the_foreground():
    members, inferer, image = networks(3), OverlapTileInferer(), torch.rand(1, 37, 50)
    item = EnsembleDisagreementd("image", Ensemble(members), inferer)({"image": image, "other": 1})
    foreground = [inferer(image[None], member).softmax(1)[0, 1].detach().numpy() for member in members]
    assert item["disagreement"].shape == (1, 37, 50)
    np.testing.assert_allclose(item["disagreement"][0], np.std(foreground, axis=0), atol=1e-6)
    assert item["disagreement"].std() > 0
    assert item["other"] == 1
    assert item["image"] is image


def test_equal_members_agree():
    (one,) = networks(1)
    item = EnsembleDisagreementd("image", Ensemble([one, one]), OverlapTileInferer())({"image": torch.rand(1, 30, 41)})
    assert torch.equal(item["disagreement"], torch.zeros(1, 30, 41))


def test_a_single_network_has_no_members():
    with pytest.raises(UserError, match="this model is a single network"):
        EnsembleDisagreementd("image", networks(1)[0], OverlapTileInferer())
