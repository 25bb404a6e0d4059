"""Taking the class of contact out of the probabilities of a network that was trained with it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from monai.config import KeysCollection
from monai.transforms import MapTransform

from ..classes import split_contact
from .instances import check_single


class SplitContactd(MapTransform):
    """Makes probabilities of background and cell of those of background, cell and contact; contact gets its own key.

    Example:
        >>> import torch
        >>> item = SplitContactd("pred")({"pred": torch.tensor([0.5, 0.25, 0.25]).reshape(3, 1, 1)})
        >>> item["pred"].flatten().tolist(), item["contact"].tolist()
        ([0.5, 0.5], [[[0.25]]])

    Args:
        keys: the one key of the soft-max probabilities (3, H, W); see `custom.classes.split_contact`.
        contact_key: key of the probability of contact, (1, H, W).
        allow_missing_keys: leave items without the probabilities as they are.

    Raises:
        UserError: more than one key.
    """

    def __init__(self, keys: KeysCollection, contact_key: str = "contact", allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        check_single(self.keys, contact_key)
        self.contact_key = contact_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The item with the two."""
        item = dict(data)
        for key in self.key_iterator(item):
            item[key], item[self.contact_key] = split_contact(item[key])
        return item


SplitContactD = SplitContactDict = SplitContactd
