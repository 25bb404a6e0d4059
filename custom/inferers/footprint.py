"""Memory of a network's activations, measured without computing them."""

from __future__ import annotations

import copy
import weakref
from collections.abc import Callable
from typing import Any

import psutil
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ..errors import UserError
from .geometry import Geometry, Network, unwrap

# On a tile this large the share of border pixels is negligible, and the bytes per pixel are at their upper limit.
LARGE_TILE = 16384


class LiveBytes(TorchDispatchMode):
    """Count the bytes of all tensors made inside the context; `peak` is the most that were alive at once."""

    def __init__(self) -> None:
        super().__init__()
        self.live = 0
        self.peak = 0
        self.known: set[int] = set()

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor):
                self._add(tensor.untyped_storage())
        return result

    def _add(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key not in self.known:
            self.known.add(key)
            self.live += size
            self.peak = max(self.peak, self.live)
            weakref.finalize(storage, self._remove, key, size)

    def _remove(self, key: int, size: int) -> None:
        self.known.discard(key)
        self.live -= size


def without_values(module: nn.Module, dtype: torch.dtype) -> nn.Module:
    """A copy of a module whose parameters and buffers have shapes but no values; the floating-point ones get `dtype`.

    The module itself stays untouched, because another thread may be running it.
    """

    def meta(tensor: Tensor) -> Tensor:
        return torch.empty_like(tensor, device="meta", dtype=dtype if tensor.is_floating_point() else None)

    # `deepcopy` uses the replacements in its memo, so no weight is copied.
    memo: dict[int, Any] = {id(x): nn.Parameter(meta(x), requires_grad=False) for x in module.parameters()}
    memo |= {id(x): meta(x) for x in module.buffers()}
    return copy.deepcopy(module, memo)


def bytes_per_pixel(network: Network, geometry: Geometry, channels: int, dtype: torch.dtype) -> float:
    """Most bytes alive at once during a forward pass, per input pixel: input, activations and output.

    The pass runs on the `meta` device, which has shapes but no values. It is an upper limit for every tile size.

    Args:
        network: an `nn.Module`, wrapped or not.
        geometry: its geometry.
        channels: channels of the image.
        dtype: of weights and activations.

    Raises:
        UserError: the network is not an `nn.Module`, so its tensors cannot be tracked.
    """
    module = unwrap(network)
    if not isinstance(module, nn.Module) or isinstance(module, torch.jit.ScriptModule):
        raise UserError(
            f'tile_size is "auto", but {type(module).__name__} is not a plain nn.Module whose memory can be measured: '
            "give tile_size in pixels"
        )
    size = geometry.next_admissible(LARGE_TILE)
    stand_in = without_values(module, dtype)
    image = torch.empty((1, channels, size, size), device="meta", dtype=dtype)
    with torch.no_grad(), LiveBytes() as count:
        stand_in(image)
    return (count.peak + image.nbytes) / size**2


def default_memory_budget(device: torch.device) -> int:
    """Bytes for one forward pass: half of what is free on a CUDA device, a quarter of the free RAM, up to a limit.

    The limit, 1 GiB in RAM and 8 GiB on CUDA, gives the paper's network tiles of about 1,070 and 3,000 pixels a side in
    bfloat16. Larger ones feed the network fewer pixels, but on a CPU cache misses and memory to clear cost more.
    """
    if device.type == "cuda":
        return min(torch.cuda.mem_get_info(device)[0] // 2, 8 * 2**30)
    return min(psutil.virtual_memory().available // 4, 2**30)
