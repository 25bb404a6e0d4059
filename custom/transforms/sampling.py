"""Sampling of an image at arbitrary coordinates, with mirrored borders: the geometry of a window and three kernels.

Nothing is padded. Coordinates are folded into the image as in `custom.data.mirror`, so that a window may be at any
distance beyond the border. They are computed and used in blocks of rows that fit in the processor's cache. OpenCV gets
each block as a single row, which it cannot distribute over threads: a loader's worker uses only its own core, and
forks safely.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from monai.config import NdarrayOrTensor
from monai.data import MetaTensor
from monai.utils import convert_to_dst_type
from numpy.typing import NDArray

from ..compiled import compiled
from ..data.mirror import mirror_window
from ..errors import UserError

Mode = Literal["nearest", "linear", "cubic"]
MODES: tuple[str, ...] = get_args(Mode)

CV2_LIMIT = 2**15 - 1  # cv2.remap supports images with fewer pixels per side
BLOCK_PIXELS = CV2_LIMIT - 1
KERNEL_REACH = 3  # pixels around a coordinate that the cubic kernel may read
CV2_MODE = {"linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC}
TORCH_MODE = {"linear": "bilinear", "cubic": "bicubic"}


@dataclass(frozen=True)
class Warp:
    """Source coordinates of the pixels of a window: row = left @ right[0], column = left @ right[1].

    The sum over a few terms represents the affine map and a smooth displacement; any other displacement is given
    densely as `offset`.

    Args:
        left: (rows, terms) float64.
        right: (2, terms, columns) float64.
        offset: (2, rows, columns) float32, pixels added to row and column, or None.
    """

    left: NDArray[np.float64]
    right: NDArray[np.float64]
    offset: NDArray[np.float32] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(rows, columns) of the window."""
        return self.left.shape[0], self.right.shape[2]

    def crop(self, size: tuple[int, int]) -> Warp:
        """The centre (rows, columns) of this window; of an odd margin the smaller half is at the start."""
        rows, columns = (slice((n - m) // 2, (n - m) // 2 + m) for n, m in zip(self.size, size, strict=True))
        offset = None if self.offset is None else self.offset[:, rows, columns]
        return Warp(self.left[rows], np.ascontiguousarray(self.right[:, :, columns]), offset)

    def coordinates(self, shape: tuple[int, int], rows: slice = slice(None)) -> NDArray[np.float32]:
        """Source row and column of the window's pixels, folded into an image of `shape`: (2, rows, columns)."""
        offset = None if self.offset is None else self.offset[:, rows]
        left = self.left[rows]
        out = np.empty((2, len(left), self.size[1]), np.float32)
        _mirrored_coordinates(left, self.right, offset, shape, out)
        return out

    def blocks(self, shape: tuple[int, int]) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Blocks of rows of the window with their coordinates."""
        height, width = self.size
        step = max(1, BLOCK_PIXELS // width)
        for start in range(0, height, step):
            rows = slice(start, min(start + step, height))
            yield rows, self.coordinates(shape, rows)


@compiled
def _mirrored_coordinates(left: Any, right: Any, offset: Any, shape: Any, out: Any) -> None:
    """Evaluate a `Warp` and fold it into [0, shape - 1]: the triangle wave |v - p round(v / p)|, p = 2 (shape - 1).

    Sums run in one fixed order, so that a crop of the window gets bit-equal coordinates.
    """
    rows, terms = left.shape
    columns = right.shape[2]
    line = np.empty(columns, np.float64)
    for axis in range(2):
        period = 2.0 * (shape[axis] - 1)
        frequency = 1.0 / period if period > 0.0 else 0.0  # a division per pixel would dominate the run time
        for i in range(rows):
            line[:] = 0.0
            for k in range(terms):
                for j in range(columns):
                    line[j] += left[i, k] * right[axis, k, j]
            if offset is not None:
                for j in range(columns):
                    line[j] += offset[axis, i, j]
            if period == 0.0:
                out[axis, i, :] = 0.0
            else:
                for j in range(columns):
                    out[axis, i, j] = abs(line[j] - period * np.rint(line[j] * frequency))


def resample(image: NdarrayOrTensor, warp: Warp, mode: Mode) -> NdarrayOrTensor:
    """Read the window `warp` from an image: one interpolation, mirrored borders.

    Kernels: "nearest" (halves to the even pixel), "linear", and "cubic": Keys' convolution with a = -0.75, as in
    OpenCV and PyTorch. Each returns the pixel itself at integer coordinates. Keys' kernel with this `a` is sharper than
    Catmull-Rom's and shifts a ramp by at most 0.048 pixel.

    Args:
        image: array or tensor (C, H, W), on any device.
        warp: the window to read.
        mode: "nearest" keeps the dtype; "linear" and "cubic" return float32.

    Returns:
        (C, rows, columns) of the type of `image`, on its device; a MetaTensor keeps its metadata, with the affine of
        the source image.
    """
    return resample_together([image], warp, [mode])[0]


def resample_together(images: Sequence[NdarrayOrTensor], warp: Warp, modes: Sequence[Mode]) -> list[NdarrayOrTensor]:
    """The same window of several images of one (H, W), each as by `resample`; coordinates are computed once."""
    arrays = [_as_array(image) for image in images]
    on_cpu = [(array, mode) for array, mode in zip(arrays, modes, strict=True) if array is not None]
    read = iter(_resample_arrays(warp, *zip(*on_cpu, strict=True)) if on_cpu else [])
    found: list[NdarrayOrTensor] = []
    for image, array, mode in zip(images, arrays, modes, strict=True):
        if isinstance(image, np.ndarray):
            found.append(next(read))
            continue
        tensor = image.as_tensor() if isinstance(image, MetaTensor) else image
        out = _resample_tensor(tensor, warp, mode) if array is None else torch.from_numpy(next(read))
        found.append(convert_to_dst_type(out, dst=image, dtype=out.dtype)[0])
    return found


def _as_array(image: NdarrayOrTensor) -> NDArray[Any] | None:
    """The image as an array on the same memory; None for a tensor that NumPy cannot see."""
    if isinstance(image, np.ndarray):
        return image
    tensor = image.as_tensor() if isinstance(image, MetaTensor) else image
    if tensor.device.type != "cpu" or tensor.dtype == torch.bfloat16:
        return None
    return tensor.detach().numpy()


def _resample_arrays(warp: Warp, images: Sequence[NDArray[Any]], modes: Sequence[Mode]) -> list[NDArray[Any]]:
    sources = [image if mode == "nearest" else _for_opencv(image) for image, mode in zip(images, modes, strict=True)]
    found = [np.empty((len(source), *warp.size), source.dtype) for source in sources]
    for rows, coordinates in warp.blocks(images[0].shape[1:]):
        for source, mode, out in zip(sources, modes, found, strict=True):
            if mode == "nearest":
                bits = f"u{source.itemsize}"  # values are only copied, and numba does not support all types
                _read_nearest(source.view(bits), coordinates, out[:, rows].view(bits))
            else:
                _read_smooth(source, coordinates, mode, out[:, rows])
    return found


def _for_opencv(image: NDArray[Any]) -> NDArray[np.float32]:
    source = np.ascontiguousarray(image, dtype=np.float32)
    height, width = source.shape[1:]
    if min(height, width) < 2:  # OpenCV's cubic kernel does not terminate on an axis of one pixel
        source = mirror_window(source, (0, 0), (max(height, 2), max(width, 2)))
    return source


def _read_smooth(
    source: NDArray[np.float32], coordinates: NDArray[np.float32], mode: Mode, out: NDArray[np.float32]
) -> None:
    part, y, x = _within_limit(source, *coordinates.reshape(2, 1, -1))
    for plane, block in zip(part, out, strict=True):
        cv2.remap(plane, x, y, CV2_MODE[mode], block.reshape(1, -1), cv2.BORDER_REFLECT_101)


@compiled
def _read_nearest(source: Any, coordinates: Any, out: Any) -> None:
    """The pixels (C, rows, columns) of `source` that are nearest to the coordinates, written to `out`."""
    channels, rows, columns = out.shape
    for channel in range(channels):
        for i in range(rows):
            for j in range(columns):
                row, column = int(np.rint(coordinates[0, i, j])), int(np.rint(coordinates[1, i, j]))
                out[channel, i, j] = source[channel, row, column]


def _flat_index(coordinates: NDArray[np.float32], width: int) -> NDArray[np.int64]:
    """Index of the nearest pixel in an image flattened row by row."""
    row, column = np.rint(coordinates).astype(np.int64)
    return row * width + column


def _within_limit(
    source: NDArray[np.float32], y: NDArray[np.float32], x: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """The part of a very large image that the coordinates cover, and the coordinates in that part."""
    if max(*source.shape[1:], x.size) < CV2_LIMIT:
        return source, y, x
    top, left = (max(0, int(v.min()) - KERNEL_REACH) for v in (y, x))
    bottom, right = (int(v.max()) + KERNEL_REACH + 1 for v in (y, x))
    part = source[:, top:bottom, left:right]
    if max(*part.shape[1:], x.size) >= CV2_LIMIT:
        raise UserError(f"a row of the window spans {part.shape[1:]} pixels; at most {CV2_LIMIT - 1} can be read")
    return part, y - top, x - left


def _resample_tensor(image: torch.Tensor, warp: Warp, mode: Mode) -> torch.Tensor:
    """The same window by PyTorch, on any device."""
    channels, height, width = image.shape
    coordinates = warp.coordinates((height, width))
    if mode == "nearest":
        index = torch.from_numpy(_flat_index(coordinates, width)).to(image.device)
        return image.reshape(channels, -1)[:, index]
    y, x = torch.from_numpy(coordinates).to(image.device)
    grid = torch.stack([2 * x / max(width - 1, 1) - 1, 2 * y / max(height - 1, 1) - 1], dim=-1)
    batch = image[None].float()
    out = F.grid_sample(batch, grid[None], TORCH_MODE[mode], padding_mode="reflection", align_corners=True)
    return out[0]
