"""The overlap-tile strategy (paper section 2, figure 2): seamless segmentation of images of any size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import Any, Literal

import torch
from monai.data import MetaTensor
from monai.inferers import Inferer
from torch import Tensor, nn
from tqdm import tqdm

from ..data.scale import check_scale
from ..errors import UserError
from ..free_cores import FreeCores
from .footprint import bytes_per_pixel, default_memory_budget
from .geometry import Geometry, Network, geometry_of
from .malloc import keep_freed_memory
from .orientations import average_orientations
from .precision import bfloat16_is_fast
from .tiling import AxisTiling, fewest_tiles, least_work, shift_to_end, tilings
from .windows import check_roi, output_for, read_window
from .working_scale import Rescaled

# Input pixels up to which 4 orientations in one forward pass are clearly faster than one by one: on a CPU 1.1 times at
# this size, 1.3 at 252 pixels a side, 1.5 at 188.
FEW_PIXELS = 320**2


def to_channels_last(x: Tensor) -> Tensor:
    """A channels-last copy of (B, C, H, W), also for one channel, where `Tensor.contiguous` would not copy."""
    return torch.empty_like(x, memory_format=torch.channels_last).copy_(x)


def run_tiles(network: Network, geometry: Geometry, x: Tensor) -> Tensor:
    """Float32 logits to keep (B, K, H - 2 * border, W - 2 * border) of tiles (B, C, H, W).

    Raises:
        UserError: the network's logits are not `margin` pixels per side smaller than the tile.
    """
    logits = network(to_channels_last(x))
    expected = tuple(size - 2 * geometry.margin for size in x.shape[-2:])
    if tuple(logits.shape[-2:]) != expected:
        raise UserError(
            f"network returned {tuple(logits.shape[-2:])} pixels for a tile of {tuple(x.shape[-2:])}, but by margin "
            f"{geometry.margin} it should be {expected}: give the inferer the network's real margin and divisor"
        )
    halo = geometry.halo
    return logits[..., halo : expected[0] - halo, halo : expected[1] - halo].float()


def device_of(network: Network, source: Any) -> torch.device:
    """Device of the network's weights; for a network without weights, that of the source."""
    if isinstance(network, nn.Module):
        for parameter in network.parameters():
            return parameter.device
    return source.device if isinstance(source, Tensor) else torch.device("cpu")


class OverlapTileInferer(Inferer):
    """Logits of whole images of any size, predicted tile by tile, without seams, resampling or cropping.

    Input tiles overlap so that output tiles meet, and context beyond the border is mirrored without repeating the edge
    pixel. Tile origins are multiples of the network's `divisor`, so that every tile sees the same pooling grid: the
    logits equal those of one pass over the whole mirrored image, for every tile and batch size (float32: to 1e-5). The
    paper's own step of 388 pixels, no multiple of 16, is not seamless in this sense.

    The geometry is read from the network's attributes `margin`, `halo`, `divisor` and its method `next_admissible`
    (see `ValidUNet`), also inside `DistributedDataParallel` or `torch.compile`. For any other network pass `halo` and
    `divisor` (and `margin`, if its convolutions are valid). Set the network to evaluation mode first.

    Example:
        >>> inferer = OverlapTileInferer(tile_size=60, halo=1, divisor=1)
        >>> inferer(torch.zeros(1, 1, 30, 90), torch.nn.Conv2d(1, 2, 3, padding=1)).shape
        torch.Size([1, 2, 30, 90])

    Args:
        tile_size: largest height and width of an input tile, in pixels; tiles shrink to just cover the image. "auto":
            the height and width that feed the network the fewest pixels in all, within the memory budget.
        batch_size: number of tiles in one forward pass.
        memory_budget: bytes for input, activations and output of one forward pass, for "auto". None: a quarter of the
            free RAM, at most 1 GiB, or half of the free GPU memory, at most 8 GiB.
        orientations: 1; or 7 or 8, the number of rotated and mirrored versions of the image whose probabilities are
            averaged. The result is then the logarithm of the mean probability, whose soft-max is that mean. Each
            version has the logits of the whole image turned that way, so the average is as seamless as a single pass,
            and that of 8 turns with the image.
        amp: bfloat16 autocast; None: where the hardware has it. The logits come as float32 either way. No probability
            moves by more than 0.06 (tested on random networks; by 0.024 at most in a trained one, where 0.04 % of the
            pixels changed class).
        compile: run the network through `torch.compile`; worthwhile on a GPU, with many images.
        margin: overrides the network's attribute: input pixels lost per side.
        halo: overrides the network's attribute: output pixels per side to discard.
        divisor: overrides the network's attribute: product of the pooling strides.
        progress: show a progress bar over tiles.
        scale: the working scale, working pixels per image pixel: 0.5 shows the network the image at half size, as it
            was trained (see `custom.inferers.working_scale`). Tiles, orientations and their average are those of the
            working image; the mean probability is interpolated back to every pixel of the image. `tile_size` is in
            working pixels.

    Raises:
        UserError: an argument is out of range.
    """

    def __init__(
        self,
        tile_size: int | Literal["auto"] = "auto",
        batch_size: int = 1,
        memory_budget: int | None = None,
        orientations: int = 1,
        amp: bool | None = None,
        compile: bool = False,
        margin: int | None = None,
        halo: int | None = None,
        divisor: int | None = None,
        progress: bool = False,
        scale: float = 1.0,
    ) -> None:
        super().__init__()
        if tile_size != "auto" and (not isinstance(tile_size, int) or tile_size < 1):
            raise UserError(f'tile_size is {tile_size!r}: give a number of pixels, or "auto"')
        if not isinstance(batch_size, int) or batch_size < 1:
            raise UserError(f"batch_size is {batch_size!r}: give an integer of at least 1")
        if memory_budget is not None and memory_budget <= 0:
            raise UserError(f"memory_budget is {memory_budget!r}: give a positive number of bytes, or None")
        if orientations not in (1, 7, 8):
            raise UserError(f"orientations is {orientations!r}: give 1, 7 or 8")
        self.tile_size = tile_size
        self.batch_size = batch_size
        self.memory_budget = memory_budget
        self.orientations = orientations
        self.amp = amp
        self.compile = compile
        self.margin = margin
        self.halo = halo
        self.divisor = divisor
        self.progress = progress
        self.scale = check_scale(scale)
        self._compiled: tuple[Network, Network] | None = None
        self._free_cores = FreeCores()

    def __call__(self, inputs: Any, network: Network, *args: Any, out: Any = None, **kwargs: Any) -> Any:
        """Logits of whole images.

        Args:
            inputs: images (B, C, H, W): a tensor, or an array-like (`numpy.memmap`, Zarr) that is read tile by
                tile. Any H and W from 1. Values are cast to float32, not rescaled.
            network: from tiles (B, C, h, w) to logits (B, K, h - 2 * margin, w - 2 * margin).
            args: further positional arguments for the network.
            out: tensor, `numpy.memmap` or Zarr array (B, K, H, W) that the logits are written to, tile by tile.
            kwargs: further keyword arguments for the network.

        Returns:
            `out` if given; else logits (B, K, H, W), a float32 tensor on the device of `inputs` with its metadata.

        Raises:
            UserError: the inputs are not images, `out` has another shape, the network's geometry is unknown or wrong,
                or no tile fits `tile_size` or `memory_budget`.
        """
        source = inputs.as_tensor() if isinstance(inputs, MetaTensor) else inputs
        whole = tuple(slice(0, size) for size in source.shape[-2:])
        logits = self.predict_roi(source, network, whole, *args, out=out, **kwargs)
        if isinstance(inputs, MetaTensor) and out is None:
            return MetaTensor(logits).copy_meta_from(inputs)
        return logits

    def predict_roi(
        self, source: Any, network: Network, roi: Sequence[slice], *args: Any, out: Any = None, **kwargs: Any
    ) -> Any:
        """Logits of one window: the same as that window of the whole image's logits, so that windows meet seamlessly.

        Args:
            source: images (B, C, H, W), as in :meth:`__call__`.
            network: as in :meth:`__call__`.
            roi: slices of rows and columns, inside the image; most efficient if they start at multiples of the divisor.
            args: further positional arguments for the network.
            out: as in :meth:`__call__`, of the window's shape.
            kwargs: further keyword arguments for the network.

        Returns:
            `out` if given; else logits (B, K, h, w) of the window, float32, on the device of `source`.

        Raises:
            UserError: as :meth:`__call__`, or the window is empty or leaves the image.
        """
        check_roi(source.shape, roi)
        if self.scale == 1:
            return self._predict_tiles(source, network, roi, *args, out=out, **kwargs)
        rescaled = Rescaled(source, self.scale)
        logits = self._predict_tiles(rescaled, network, rescaled.around(roi), *args, **kwargs)
        return rescaled.restore(logits, roi, out)

    @torch.no_grad()
    def _predict_tiles(
        self, source: Any, network: Network, roi: Sequence[slice], *args: Any, out: Any = None, **kwargs: Any
    ) -> Any:
        """`predict_roi` on the grid of `source`."""
        geometry = geometry_of(network, self.margin, self.halo, self.divisor)
        device = device_of(network, source)
        amp = bfloat16_is_fast(device) if self.amp is None else self.amp
        most_pixels = self._most_pixels(network, geometry, source.shape[1], device, amp)
        rows, columns = self._tilings(geometry, source.shape, roi, most_pixels)
        pixels = rows.input_size * columns.input_size * self.batch_size
        together = self.tile_size == "auto" and pixels <= min(FEW_PIXELS, most_pixels / 4)
        size, shift = (rows.read_size, columns.read_size), (rows.shift, columns.shift)
        tiles = list(product(range(source.shape[0]), rows.spans(), columns.spans()))
        run = self._runnable(network)

        if device.type == "cpu":
            keep_freed_memory()
        # One autocast context around all tiles, because it converts the weights once.
        with torch.autocast(device.type, torch.bfloat16, enabled=amp), self._free_cores.threads() as fit_threads:

            def predict(x: Tensor) -> Tensor:
                if device.type == "cpu":
                    fit_threads()
                return run_tiles(lambda tile: run(tile, *args, **kwargs), geometry, x)

            for first in tqdm(range(0, len(tiles), self.batch_size), disable=not self.progress, desc="tiles"):
                batch = tiles[first : first + self.batch_size]
                x = torch.stack([read_window(source, image, (r.read, c.read), size) for image, r, c in batch])
                logits = average_orientations(predict, x.to(device), self.orientations, shift, together)
                if first == 0:
                    out = output_for(out, source, (source.shape[0], logits.shape[1], rows.length, columns.length))
                for (image, r, c), tile in zip(batch, logits, strict=True):
                    part = tile[:, r.crop, c.crop]
                    out[image, :, r.write, c.write] = part if isinstance(out, Tensor) else part.cpu().numpy()
        return out

    def _most_pixels(
        self, network: Network, geometry: Geometry, channels: int, device: torch.device, amp: bool
    ) -> float:
        """Input pixels of one forward pass that the memory budget holds; no limit if the user chose the tiles."""
        if self.tile_size != "auto":
            return math.inf
        per_pixel = bytes_per_pixel(network, geometry, channels, torch.bfloat16 if amp else torch.float32)
        budget = default_memory_budget(device) if self.memory_budget is None else self.memory_budget
        return budget / per_pixel

    def _tilings(
        self, geometry: Geometry, shape: Sequence[int], roi: Sequence[slice], most_pixels: float
    ) -> tuple[AxisTiling, AxisTiling]:
        """Rows and columns of tiles for the window `roi` of images of `shape` (B, C, H, W)."""
        shifts = [shift_to_end(geometry, size) if self.orientations > 1 else 0 for size in shape[-2:]]
        rows, columns = (
            tilings(geometry, part.start, part.stop, shift) for part, shift in zip(roi, shifts, strict=True)
        )
        if self.tile_size != "auto":
            return fewest_tiles(rows, self.tile_size), fewest_tiles(columns, self.tile_size)
        return least_work(rows, columns, most_pixels / self.batch_size)

    def _runnable(self, network: Network) -> Network:
        """The network, or its compiled form, which is cached."""
        if not self.compile:
            return network
        if self._compiled is None or self._compiled[0] is not network:
            # Compiled for each tile size: with dynamic sizes, tracing takes ten times as long, and is repeated anyway.
            self._compiled = network, torch.compile(network, dynamic=False)
        return self._compiled[1]
