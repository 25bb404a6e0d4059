"""The paper's energy: cross entropy of a pixel-wise soft-max, each pixel weighted."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.modules.loss import _Loss

from ..constants import IGNORED
from ..networks.valid_unet import center_crop


class WeightedCrossEntropyLoss(_Loss):
    """E = sum_x w(x) (-log p_label(x)(x)), paper section 3, equation 1.

    Label and weight map are one target, because MONAI's trainers call ``loss(logits, target)``: ``target``
    (B, 2, H, W) holds the class index in channel 0 and the weight in channel 1. With one channel all weights are 1.
    Pixels of the class ``IGNORED`` (255) do not contribute.

    The logits (B, C, H', W') may be larger than the target: they are cropped to its size about the centre, as a
    network input of 700 with an output of 516 is cropped to a full image of 512.

    Example:
        >>> logits = torch.zeros(1, 2, 3, 4)
        >>> target = torch.ones(1, 2, 3, 4)  # class 1 everywhere, with weight 1
        >>> WeightedCrossEntropyLoss()(logits, target)
        tensor(0.6931)

    Args:
        reduction: ``"mean"`` divides by the number of pixels that count, so that the learning rate does not depend
            on the tile size and a larger weight is a larger step; ``"weighted_mean"`` divides by the sum of the
            weights; ``"sum"`` is the paper's formula as written.

    Raises:
        ValueError: an unknown reduction, or a target that is larger than the logits or has another channel count.
    """

    def __init__(self, reduction: str = "mean") -> None:
        if reduction not in ("mean", "weighted_mean", "sum"):
            raise ValueError(f"reduction is {reduction!r}: choose one of mean, weighted_mean, sum")
        super().__init__()
        self.reduction = reduction

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Scalar loss, float32."""
        size = [target.shape[-2], target.shape[-1]]
        if target.shape[1] not in (1, 2) or size[0] > logits.shape[-2] or size[1] > logits.shape[-1]:
            raise ValueError(
                f"target has shape {tuple(target.shape)} for logits {tuple(logits.shape)}: "
                "give (B, 2, H, W), label and weight, no larger than the logits"
            )
        label = target[:, 0].long()
        counts = (label != IGNORED).float()
        weight = target[:, 1] * counts if target.shape[1] == 2 else counts
        energy = F.cross_entropy(center_crop(logits, size).float(), label, ignore_index=IGNORED, reduction="none")
        total = torch.sum(weight * energy)
        if self.reduction == "sum":
            return total
        norm = counts.sum() if self.reduction == "mean" else weight.sum()
        return total / norm.clamp(min=torch.finfo(torch.float32).tiny)
