"""A model as one network from an image to the probabilities of its pixels: all that inference does, in one graph."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from custom.data.scale import anti_alias_sigma
from custom.inferers.geometry import geometry_of
from custom.inferers.orientations import DIHEDRAL, reversed_axes
from custom.inferers.working_scale import TRUNCATE

from .sizes import InputSizes, in_channels

RATIO = 256  # sizes in an exported graph are scaled by ratios of whole numbers


class WholeImage(nn.Module):
    """Class probabilities (B, K, H, W) of images (B, C, H, W), as `OverlapTileInferer` computes them, in one pass.

    Every axis of the network's input is read from the image by positions: mirrored at the borders at any distance, on
    the working grid of `custom.data.scale`, and from the end for an orientation that reverses it. The probabilities
    are read back by positions, too. Only the number of pixels that the network sees is a size in the graph; where they
    lie is computed by tensors, so that H and W stay free in TorchScript, `torch.export` and ONNX.

    Args:
        network: with the geometry of a `ValidUNet`.
        scale: working pixels per image pixel.
        orientations: 1, 7 or 8 rotated and mirrored versions whose probabilities are averaged.
    """

    def __init__(self, network: nn.Module, scale: float = 1.0, orientations: int = 1) -> None:
        super().__init__()
        geometry = geometry_of(network)
        self.network = network
        self.scale = scale
        # As a tensor, because the ONNX exporter rounds numbers to float32, which decides the size of some images.
        self.exact_scale = nn.Buffer(torch.tensor([scale], dtype=torch.float64))
        self.orientations = [(turns % 2 == 1, *reversed_axes(turns, flip)) for turns, flip in DIHEDRAL[:orientations]]
        self.divisor = geometry.divisor
        self.halo = geometry.halo
        self.before = geometry.border
        self.smallest = geometry.input_size(1)
        self.ratio, self.whole_ratio = math.ceil(scale * RATIO), RATIO
        sigma = anti_alias_sigma(scale)
        radius = int(TRUNCATE * sigma + 0.5)
        weights = [math.exp(-0.5 * (tap / sigma) ** 2) if sigma else 1.0 for tap in range(-radius, radius + 1)]
        self.blur = [(tap - radius, weight / sum(weights)) for tap, weight in enumerate(weights)]
        # Output pixels per side that depend on the mirrored surroundings, as whole steps: tools that tile the image
        # throw them away, and tile origins stay multiples of the divisor.
        self.tile_halo = -(-geometry.border // geometry.divisor) * geometry.divisor

    def forward(self, image: Tensor) -> Tensor:
        height, width = image.shape[-2], image.shape[-1]
        image = self.blurred(self.blurred(image, -2), -1)
        # From zeros and not from the first version, because TorchScript wants one type.
        total = torch.zeros((1,), device=image.device)
        for transposed, rows_reversed, columns_reversed in self.orientations:
            x = self.read(self.read(image, -2, rows_reversed), -1, columns_reversed)
            logits = self.network(x.transpose(-2, -1) if transposed else x)
            probability = torch.softmax(logits, dim=1)
            if transposed:
                probability = probability.transpose(-2, -1)
            probability = self.restore(probability, -2, height, rows_reversed)
            total = total + self.restore(probability, -1, width, columns_reversed)
        return total / len(self.orientations)

    def blurred(self, x: Tensor, dim: int) -> Tensor:
        """`custom.data.scale.anti_alias` along one axis."""
        if len(self.blur) == 1:
            return x
        size = x.shape[dim]
        index = torch.arange(size, device=x.device)
        total = torch.zeros_like(x)
        for tap, weight in self.blur:
            total = total + weight * x.index_select(dim, self.mirrored(index + tap, self.whole(size, x)))
        return total

    def read(self, x: Tensor, dim: int, backwards: bool) -> Tensor:
        """The network's input along one axis: the working pixels and their mirrored surroundings."""
        size = x.shape[dim]
        last = self.last_working_pixel(size, x)
        position = self.mirrored(torch.arange(self.input_size(size), device=x.device) - self.before, last + 1)
        if backwards:
            position = last - position
        if self.scale == 1.0:
            return x.index_select(dim, position)
        at = position.to(torch.float64) * self.whole(size - 1, x) / last
        low = torch.floor(at)
        fraction = (at - low).to(x.dtype)
        shape = [1, 1, -1, 1] if dim == -2 else [1, 1, 1, -1]
        total = torch.zeros((1,), device=x.device)
        for tap in (-1, 0, 1, 2):
            index = self.mirrored(low.to(torch.int64) + tap, self.whole(size, x))
            total = total + keys_kernel(fraction - tap).reshape(shape) * x.index_select(dim, index)
        return total

    def restore(self, x: Tensor, dim: int, size: int, backwards: bool) -> Tensor:
        """The network's probabilities at the `size` pixels of the image along one axis, interpolated linearly."""
        last = self.last_working_pixel(size, x)
        pixel = torch.arange(size, device=x.device)
        if self.scale == 1.0:
            return x.index_select(dim, self.halo + (last - pixel if backwards else pixel))
        at = pixel.to(torch.float64) * last / self.whole(size - 1, x)
        low = torch.minimum(at.to(torch.int64), last - 1)
        fraction = (at - low).to(x.dtype).reshape([1, 1, -1, 1] if dim == -2 else [1, 1, 1, -1])
        low = last - low if backwards else low
        low_value = x.index_select(dim, self.halo + low)
        high_value = x.index_select(dim, self.halo + (low - 1 if backwards else low + 1))
        return low_value + fraction * (high_value - low_value)

    def input_size(self, size: int) -> int:
        """Pixels that the network sees of an axis of `size` pixels: admissible, and enough."""
        working = size if self.scale == 1.0 else (size - 1) * self.ratio // self.whole_ratio + 2
        more = working + 2 * self.before - self.smallest
        return self.smallest + (more + self.divisor - 1) // self.divisor * self.divisor

    def last_working_pixel(self, size: int, like: Tensor) -> Tensor:
        """The last position on the working grid (`custom.data.scale.WorkingAxis`), int64 (1,)."""
        last = self.whole(size - 1, like)
        if self.scale == 1.0:
            return last
        return torch.floor(last.to(torch.float64) * self.exact_scale + 0.5).to(torch.int64).clamp(min=1)

    def whole(self, number: int, like: Tensor) -> Tensor:
        """A number as an int64 tensor (1,): the ONNX exporter has no arithmetic of free sizes beyond the simplest."""
        return torch.full((1,), number, dtype=torch.int64, device=like.device)

    def mirrored(self, position: Tensor, size: Tensor) -> Tensor:
        """`custom.data.mirror.mirror_index` of int64 positions for an axis of `size` pixels."""
        period = (2 * (size - 1)).clamp(min=1)
        folded = torch.remainder(position, period)
        return torch.minimum(folded, period - folded)


def keys_kernel(distance: Tensor, a: float = -0.75) -> Tensor:
    """Keys' cubic convolution kernel at distances in pixels, with the parameter of `custom.transforms.sampling`."""
    d = distance.abs()
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return torch.where(d <= 1, near, torch.where(d < 2, far, torch.zeros_like(d)))


def whole_image_sizes(whole: WholeImage, step: int = 1) -> InputSizes:
    """What :class:`WholeImage` takes: any size from two pixels on, or the multiples of `step`."""
    return InputSizes(in_channels(whole), max(step, 2), step)
