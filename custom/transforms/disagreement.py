"""How far the members of an ensemble disagree."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform
from torch import Tensor, nn

from ..errors import UserError
from ..inferers.geometry import unwrap
from ..networks.ensemble import Ensemble


class EnsembleDisagreementd(MapTransform):
    """Adds the standard deviation of the members' probabilities to an item, the largest over the classes.

    Each member segments the image once more, so the time of an inference doubles.

    Args:
        keys: the image, gray values (C, H, W), on any device.
        network: an :class:`~custom.networks.Ensemble`, bare or wrapped.
        inferer: from a batch (1, C, H, W) and a network to logits (1, K, H, W).
        name: key of the result, float32 (1, H, W) in [0, 0.5].
        allow_missing_keys: leave items without the image as they are.

    Raises:
        UserError: the network is not an ensemble.
    """

    def __init__(
        self,
        keys: KeysCollection,
        network: nn.Module,
        inferer: Callable[[Tensor, nn.Module], Tensor],
        name: str = "disagreement",
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        ensemble = unwrap(network)
        if not isinstance(ensemble, Ensemble):
            raise UserError(
                "disagreement is that of the members of an ensemble, and this model is a single network; "
                "make an ensemble with `python -m scripts.ensemble`, or leave disagreement out of --save"
            )
        self.ensemble = ensemble
        self.inferer = inferer
        self.name = name

    @torch.no_grad()
    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The item with its disagreement."""
        item = dict(data)
        for key in self.key_iterator(item):
            image = item[key]
            batch = (image.as_tensor() if isinstance(image, MetaTensor) else image)[None]
            logits = [self.inferer(batch, member) for member in self.ensemble.members]
            probabilities = torch.stack([torch.softmax(value.float(), dim=1)[0] for value in logits])
            item[self.name] = probabilities.std(dim=0, correction=0).amax(dim=0, keepdim=True)
        return item


EnsembleDisagreementD = EnsembleDisagreementDict = EnsembleDisagreementd
