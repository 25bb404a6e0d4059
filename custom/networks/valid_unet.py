"""The U-Net of Ronneberger, Fischer and Brox (2015): valid convolutions, cropped skip connections."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import UserError

UP_CONVOLUTIONS = ("transposed", "upsample")
INITIALISATIONS = ("he", "xavier_uniform", "xavier_normal", "kaiming")


def center_crop(x: Tensor, size: list[int]) -> Tensor:
    """Centre of ``x`` (..., H, W) with the spatial ``size`` (h, w)."""
    top, left = (x.shape[-2] - size[0]) // 2, (x.shape[-1] - size[1]) // 2
    return x[..., top : top + size[0], left : left + size[1]]


def center_copy(x: Tensor, size: list[int]) -> Tensor:
    """As :func:`center_crop`, as a copy whose gradient has the memory format of ``x``.

    The gradient of a slice is not channels-last. Adding it to that of the pooling, and passing the sum on to layers
    that are, took a sixth of a training step with 16 features on a CPU.
    """
    top, left = (x.shape[-2] - size[0]) // 2, (x.shape[-1] - size[1]) // 2
    return F.pad(x, [-left, left + size[1] - x.shape[-1], -top, top + size[0] - x.shape[-2]])


def double_convolution(in_channels: int, out_channels: int) -> nn.Sequential:
    """Two 3x3 valid convolutions, each followed by a ReLU: (B, C, H, W) to (B, out_channels, H - 4, W - 4)."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3),
        nn.ReLU(inplace=True),
        nn.Conv2d(out_channels, out_channels, 3),
        nn.ReLU(inplace=True),
    )


def up_convolution(in_channels: int, out_channels: int, reading: str) -> nn.Module:
    """Double H and W and map the channels, in one of the two readings of the paper's "up-convolution".

    ``"transposed"``: 2x2 transposed convolution of stride 2. ``"upsample"``: nearest-neighbour upsampling, then a 2x2
    convolution padded by one row and column at the end, as Keras' `same` padding does.
    """
    if reading == "transposed":
        return nn.ConvTranspose2d(in_channels, out_channels, 2, stride=2)
    return nn.Sequential(
        nn.Upsample(scale_factor=2.0, mode="nearest"),
        nn.ZeroPad2d((0, 1, 0, 1)),
        nn.Conv2d(in_channels, out_channels, 2),
    )


class UpBlock(nn.Module):
    """One step of the expanding path: up-convolution, concatenation with the cropped skip, two convolutions."""

    def __init__(self, in_channels: int, out_channels: int, up: str) -> None:
        super().__init__()
        self.up = up_convolution(in_channels, out_channels, up)
        self.convolutions = double_convolution(2 * out_channels, out_channels)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = self.up(x)
        size = [x.shape[-2], x.shape[-1]]
        skip = center_copy(skip, size) if self.training else center_crop(skip, size)
        return self.convolutions(torch.cat([skip, x], dim=1))


def initialise(layer: nn.Conv2d | nn.ConvTranspose2d, init: str) -> None:
    """Draw the weights of one layer by the rule ``init`` (see :class:`ValidUNet`) and set its bias to 0."""
    if init == "he":
        # A 2x2 transposed convolution of stride 2 feeds each output neuron from one pixel, not from four.
        taps = 1 if isinstance(layer, nn.ConvTranspose2d) else math.prod(layer.kernel_size)
        nn.init.normal_(layer.weight, std=math.sqrt(2 / (layer.in_channels * taps)))
    elif init == "kaiming":
        nn.init.kaiming_normal_(layer.weight)
    elif init == "xavier_uniform":
        nn.init.xavier_uniform_(layer.weight)
    else:
        nn.init.xavier_normal_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def check_arguments(counts: dict[str, int], up: str, init: str, dropout: float) -> None:
    """Raise `UserError` for the first invalid argument of :class:`ValidUNet`."""
    smallest = {"out_channels": 2}
    for name, value in counts.items():
        if not isinstance(value, int) or value < smallest.get(name, 1):
            raise UserError(f"{name} is {value!r}: give an integer of at least {smallest.get(name, 1)}")
    if counts["depth"] > 8:
        raise UserError(
            f"depth is {counts['depth']}: beyond 8 the smallest input is over 3,000 pixels; the paper has 4"
        )
    for name, text, choices in (("up", up, UP_CONVOLUTIONS), ("init", init, INITIALISATIONS)):
        if text not in choices:
            raise UserError(f"{name} is {text!r}: choose one of {', '.join(choices)}")
    if not 0 <= dropout < 1:
        raise UserError(f"dropout is {dropout}: give a rate from 0 to below 1 (0 for none)")


class ValidUNet(nn.Module):
    """U-Net with valid padding (paper section 2, figure 1).

    Per level two 3x3 valid convolutions with ReLU; 2x2 max pooling down, features doubling; an up-convolution that
    halves the features and the centre-cropped skip connection up; a 1x1 convolution to the classes. With the default
    arguments the network has 31,030,658 parameters and maps (B, 1, 572, 572) to logits (B, 2, 388, 388).

    Transforms, inferer and configs read the network's geometry:

    - ``margin``: input pixels lost on each side (92 at depth 4), so output = input - 2 * margin;
    - ``divisor``: 2**depth; windows whose origins differ by a multiple of it see the same pooling grid;
    - ``halo``: output pixels on each side that depend on padding inside the network: 0, or ``divisor`` for
      ``up="upsample"``, whose padded 2x2 convolutions reach 2**depth - 1 pixels in from the lower right;
    - :meth:`output_size`, :meth:`next_admissible`.

    Example:
        >>> network = ValidUNet(features=4, depth=2)
        >>> network.next_admissible(50), network.output_size(52)
        (52, 12)
        >>> network(torch.zeros(1, 1, 52, 60)).shape
        torch.Size([1, 2, 12, 20])

    Args:
        in_channels: channels of the image.
        out_channels: number of classes, at least 2.
        features: channels of the first level (64 in the paper).
        depth: number of poolings (4 in the paper).
        up: reading of "up-convolution", ``"transposed"`` or ``"upsample"`` (see :func:`up_convolution`).
        init: ``"he"``, the paper's Gaussian of standard deviation sqrt(2 / N) with N the incoming nodes of a neuron;
            ``"kaiming"``, PyTorch's default Kaiming normal (the same but for transposed convolutions, whose fan-in
            PyTorch takes over the output channels); ``"xavier_uniform"``; ``"xavier_normal"``. Biases start at 0.
        dropout: rate of the two drop-out layers at the end of the contracting path, after the last two levels'
            convolutions (0.5 in the authors' published model); 0 for none.

    Raises:
        UserError: an argument is out of range.
    """

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 2,
        features: int = 64,
        depth: int = 4,
        up: str = "transposed",
        init: str = "he",
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        counts = {"in_channels": in_channels, "out_channels": out_channels, "features": features, "depth": depth}
        check_arguments(counts, up, init, dropout)
        self.divisor = 2**depth
        self.margin = 6 * self.divisor - 4
        self.smallest = 2 * self.margin + min(4, self.divisor)
        self.halo = self.divisor if up == "upsample" else 0
        widths = [features * 2**level for level in range(depth + 1)]
        self.down = nn.ModuleList(
            double_convolution(i, o) for i, o in zip([in_channels, *widths], widths, strict=False)
        )
        self.dropout = nn.Dropout(dropout)
        self.pool = nn.MaxPool2d(2)
        self.up = nn.ModuleList(UpBlock(2 * width, width, up) for width in reversed(widths[:-1]))
        self.classify = nn.Conv2d(features, out_channels, 1)
        self.depth = depth
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                initialise(module, init)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, out_channels, H - 2 * margin, W - 2 * margin) of images (B, in_channels, H, W), float.

        Raises:
            UserError: H or W is not admissible; the message names the sizes that are. (In TorchScript: ValueError.)
        """
        if torch.jit.is_scripting():
            for size in x.shape[-2:]:
                if size < self.smallest or (size - self.smallest) % self.divisor != 0:
                    raise ValueError(
                        f"image of {x.shape[-2]} x {x.shape[-1]} pixels: height and width have to be {self.smallest} "
                        f"or a multiple of {self.divisor} more"
                    )
        elif not torch.compiler.is_compiling():
            self._check_input(x)
        skips: list[Tensor] = []
        for level, block in enumerate(self.down):
            x = block(self.pool(x) if level > 0 else x)
            if level >= self.depth - 1:
                x = self.dropout(x)
            skips.append(x)
        for i, block in enumerate(self.up):
            x = block(x, skips[len(skips) - 2 - i])
        return self.classify(x)

    def output_size(self, input_size: int) -> int:
        """Height or width of the logits for an admissible ``input_size``; `UserError` for another."""
        if self.next_admissible(input_size) != input_size:
            raise UserError(
                f"input size {input_size} does not fit a valid U-Net of depth {self.depth}: "
                f"take {self.next_admissible(input_size)} or any size that differs by a multiple of {self.divisor}"
            )
        return input_size - 2 * self.margin

    def next_admissible(self, size: int) -> int:
        """Smallest admissible input height or width that is at least ``size``.

        A size is admissible if every pooling sees an even number of pixels and at least one pixel comes out:
        12 (mod 16) and at least 188 at depth 4.
        """
        return self.smallest + max(0, math.ceil((size - self.smallest) / self.divisor)) * self.divisor

    @torch.jit.unused
    def _check_input(self, x: Tensor) -> None:
        for axis in (-2, -1):
            if isinstance(x.shape[axis], int) and not torch.jit.is_tracing():
                self.output_size(x.shape[axis])
