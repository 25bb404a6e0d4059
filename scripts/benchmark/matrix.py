"""Matrix throughput of a device, and the number of operations of a network."""

from __future__ import annotations

import torch
from torch import nn
from torch.func import functional_call
from torch.utils.flop_counter import FlopCounterMode

from custom.inferers import bfloat16_is_fast

from .timing import alternate


def matrix_throughput(device: torch.device, dtype: torch.dtype, size: int, rounds: int = 10) -> float:
    """Floating-point operations a second in products of square matrices, of `size` on a CPU: the limit in practice."""
    size *= 4 if device.type == "cuda" else 1
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    times = alternate({"product": lambda: a @ b}, rounds)
    return 2 * size**3 / min(times["product"])


def forward_operations(network: nn.Module, input_size: int) -> int:
    """Floating-point operations of one pass over (1, 1, input_size, input_size); a training step needs 3 times that."""
    state = {name: tensor.to("meta") for name, tensor in network.state_dict().items()}
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        functional_call(network, state, (torch.empty(1, 1, input_size, input_size, device="meta"),))
    return counter.get_total_flops()


def device_and_dtype() -> tuple[torch.device, torch.dtype]:
    """The fastest device of this machine, and the fastest precision on it."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return device, torch.bfloat16 if bfloat16_is_fast(device) else torch.float32
