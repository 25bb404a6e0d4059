"""A network that refuses images of a size it does not take, wherever it is run."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .sizes import InputSizes


class SizeChecked(nn.Module):
    """A network that takes admissible sizes alone, as TorchScript and as a graph of `torch.export`.

    Without the check a pooling drops the last row of an odd size, and logits come out that are shifted against the
    image. ONNX has no operator that refuses: there the sizes stand in the file's metadata.

    Raises (in forward, in TorchScript):
        ValueError: H or W is not admissible. (`torch.export`: RuntimeError.)
    """

    def __init__(self, network: nn.Module, sizes: InputSizes) -> None:
        super().__init__()
        self.network = network
        self.smallest = sizes.smallest
        self.step = sizes.step
        self.rule = sizes.rule

    def forward(self, image: Tensor) -> Tensor:
        for size in image.shape[-2:]:
            if torch.jit.is_scripting():
                if size < self.smallest or (size - self.smallest) % self.step != 0:
                    raise ValueError(f"image of {image.shape[-2]} x {image.shape[-1]} pixels: {self.rule}")
            else:
                # On a tensor, because torch.export drops a check of sizes that it believes to be given.
                excess = torch.full((1,), size, dtype=torch.int64) - self.smallest
                admissible = (excess >= 0) & (torch.remainder(excess, self.step) == 0)
                torch.ops.aten._assert_async.msg(admissible, self.rule)
        return self.network(image)
