"""Several networks as one: their mean probability."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import UserError


class Ensemble(nn.Module):
    """Networks of one geometry whose probabilities are averaged; it can stand wherever one of them can.

    The logits are the logarithm of the mean probability, so that soft-max gives this mean again. Geometry
    (``margin``, ``halo``, ``divisor``) is that of the members.

    Example:
        >>> from .valid_unet import ValidUNet
        >>> members = [ValidUNet(features=2, depth=1).eval() for _ in range(3)]
        >>> image = torch.rand(1, 1, 28, 36)
        >>> mean = torch.stack([member(image).softmax(1) for member in members]).mean(0)
        >>> bool(torch.allclose(Ensemble(members)(image).softmax(1), mean, atol=1e-6))
        True

    Args:
        members: map (B, C, H, W) to logits (B, K, H', W'), with the same geometry, C and K.

    Raises:
        UserError: no member, or members of different geometry.
    """

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        if len(members) == 0:
            raise UserError("an ensemble needs at least one member")
        geometries = {_geometry(member) for member in members}
        if len(geometries) > 1:
            raise UserError("the members of an ensemble need the same depth and padding, so that their tiles agree")
        self.members = nn.ModuleList(members)
        self.margin, self.halo, self.divisor, _ = next(iter(geometries))

    def forward(self, x: Tensor) -> Tensor:
        """Logarithm of the mean probability, (B, K, H', W'), of images (B, C, H, W)."""
        logs = [torch.log_softmax(member(x).float(), dim=1) for member in self.members]
        return torch.logsumexp(torch.stack(logs), dim=0) - math.log(len(logs))

    @torch.jit.unused
    def output_size(self, input_size: int) -> int:
        """Height or width of the logits; `UserError` if the input size is not admissible."""
        return self.members[0].output_size(input_size)  # type: ignore[operator, no-any-return]

    @torch.jit.unused
    def next_admissible(self, size: int) -> int:
        """Smallest input size that is admissible and at least ``size``."""
        return self.members[0].next_admissible(size)  # type: ignore[operator, no-any-return]


def _geometry(member: Any) -> tuple[int, int, int, int]:
    if not hasattr(member, "next_admissible"):
        raise UserError(
            f"{type(member).__name__} has no known geometry: put it into a SamePaddingNetwork to make it a member"
        )
    return member.margin, member.halo, member.divisor, member.next_admissible(1)
