"""Batch preparation for trainers: image and target."""

from __future__ import annotations

from typing import Any

import torch
from monai.engines.utils import PrepareBatch
from monai.utils import CommonKeys
from torch import Tensor


class PrepareTarget(PrepareBatch):
    """Image and target of a batch, for a loss that needs more than the label.

    MONAI's trainers call ``loss(prediction, target)`` with the label as target. Here the target has its own key, so
    that it can hold a weight map, too, and ``label`` is the label everywhere.

    Args:
        key: key of the target.
    """

    def __init__(self, key: str = "target") -> None:
        self.key = key

    def __call__(
        self,
        batchdata: dict[str, Tensor],
        device: str | torch.device | None = None,
        non_blocking: bool = False,
        **kwargs: Any,
    ) -> tuple[Tensor, Tensor]:
        """Image and target on `device`."""
        image, target = (
            batchdata[key].to(device=device, non_blocking=non_blocking, **kwargs)
            for key in (CommonKeys.IMAGE, self.key)
        )
        return image, target
