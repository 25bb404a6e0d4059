"""Wrapper that gives same-padding networks the geometry attributes of `ValidUNet`."""

from __future__ import annotations

import math

from torch import Tensor, nn

from ..errors import UserError


class SamePaddingNetwork(nn.Module):
    """A network whose logits are as large as its input, such as MONAI's `UNet`, `BasicUNet` and `DynUNet`.

    It has what `ValidUNet` has: ``margin`` (0: no input pixel is lost), ``divisor``, ``halo``, :meth:`output_size`,
    :meth:`next_admissible`. The overlap-tile inferer drops the halo of each tile. A halo as wide as the receptive field
    reaches makes tiles seamless, unless the network normalises over the whole tile: then no halo does.

    Example:
        >>> from monai.networks.nets import BasicUNet
        >>> network = SamePaddingNetwork(BasicUNet(spatial_dims=2, features=(4, 4, 8, 8, 16, 4)), divisor=16, halo=96)
        >>> network.next_admissible(50), network.output_size(64)
        (64, 64)

    Args:
        network: maps (B, C, H, W) to logits (B, K, H, W), H and W multiples of ``divisor``.
        divisor: product of the network's strides.
        halo: output pixels on each side to discard, as they depend on padding inside the network.

    Raises:
        UserError: ``divisor`` or ``halo`` is out of range.
    """

    margin = 0

    def __init__(self, network: nn.Module, divisor: int, halo: int) -> None:
        super().__init__()
        for name, value, smallest in (("divisor", divisor, 1), ("halo", halo, 0)):
            if not isinstance(value, int) or value < smallest:
                raise UserError(f"{name} is {value!r}: give an integer of at least {smallest}")
        self.network = network
        self.divisor = divisor
        self.halo = halo

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, K, H, W) of images (B, C, H, W)."""
        return self.network(x)

    def output_size(self, input_size: int) -> int:
        """Height or width of the logits, which is ``input_size``; `UserError` if it is not admissible."""
        if self.next_admissible(input_size) != input_size:
            raise UserError(
                f"input size {input_size} does not fit {type(self.network).__name__}: take "
                f"{self.next_admissible(input_size)} or another multiple of {self.divisor}"
            )
        return input_size

    def next_admissible(self, size: int) -> int:
        """Smallest multiple of ``divisor``, above 0, that is at least ``size``."""
        return max(1, math.ceil(size / self.divisor)) * self.divisor
