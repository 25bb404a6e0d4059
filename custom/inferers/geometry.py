"""The geometry of a network: which input sizes it accepts, and which output pixels are valid."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor
from torch.nn.parallel import DataParallel, DistributedDataParallel

from ..errors import UserError

Network = Callable[..., Tensor]


@dataclass(frozen=True)
class Geometry:
    """Sizes of a network along one axis, in pixels.

    Args:
        margin: input pixels that the network loses per side (0 for a same-padding network).
        halo: output pixels per side that depend on padding inside the network and are discarded.
        divisor: product of the pooling strides; windows whose origins differ by a multiple of it see the same pooling
            grid, and so the same logits where they overlap.
        next_admissible: smallest input size the network accepts that is at least the given one. Admissible sizes
            differ by multiples of `divisor`.
    """

    margin: int
    halo: int
    divisor: int
    next_admissible: Callable[[int], int]

    @property
    def border(self) -> int:
        """Input pixels per side beyond the pixels whose logits are kept."""
        return self.margin + self.halo

    def input_size(self, kept: int) -> int:
        """Smallest input from which at least `kept` pixels of logits can be kept."""
        return self.next_admissible(kept + 2 * self.border)


def unwrap(network: Network) -> Network:
    """The network inside the wrappers of `torch.compile` and of (distributed) data parallelism."""
    if isinstance(network, DataParallel | DistributedDataParallel):
        return unwrap(network.module)
    inner = getattr(network, "_orig_mod", None)
    return network if inner is None else unwrap(inner)


def geometry_of(
    network: Network, margin: int | None = None, halo: int | None = None, divisor: int | None = None
) -> Geometry:
    """Read the attributes `margin`, `halo`, `divisor` and the method `next_admissible` of a network, wrapped or not.

    Arguments override the attributes. The default of `margin` is 0; a network without `next_admissible` is assumed to
    accept 2 * margin plus any multiple of `divisor`.

    Raises:
        UserError: `halo` or `divisor` is neither an attribute of the network nor given, or one is out of range.
    """
    network = unwrap(network)
    values: dict[str, Any] = {"margin": margin, "halo": halo, "divisor": divisor}
    for name, smallest in (("margin", 0), ("halo", 0), ("divisor", 1)):
        value = values[name]
        if value is None:
            value = getattr(network, name, 0 if name == "margin" else None)
        if value is None:
            raise UserError(
                f"network {type(network).__name__} has no attribute `{name}`: give the inferer halo= (output pixels "
                "per side to drop, at least its receptive radius if it pads) and divisor= (product of its strides)"
            )
        if not isinstance(value, int) or value < smallest:
            raise UserError(f"{name} is {value!r}: give an integer of at least {smallest}")
        values[name] = value
    if margin is None and divisor is None and hasattr(network, "next_admissible"):
        return Geometry(**values, next_admissible=network.next_admissible)
    return Geometry(**values, next_admissible=partial(next_multiple, 2 * values["margin"], values["divisor"]))


def next_multiple(lost: int, divisor: int, size: int) -> int:
    """Smallest number that is at least `size` and `lost` plus a positive multiple of `divisor`."""
    return lost + max(1, math.ceil((size - lost) / divisor)) * divisor
