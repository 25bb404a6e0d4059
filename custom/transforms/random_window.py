"""Base of random windows: placement, rotation, and one draw for image, label and weights."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Literal, TypedDict, get_args

import numpy as np
from monai.config import KeysCollection, NdarrayOrTensor
from monai.transforms import MapTransform, RandomizableTransform
from monai.utils import TransformBackends, convert_to_numpy
from numpy.typing import NDArray

from ..data.scale import WorkingAxis, check_scale
from ..errors import UserError
from .arguments import Size, check_choice, check_range, check_size, image_shape
from .sampling import MODES, Mode, Warp, resample, resample_together

Center = Literal["image", "uniform", "weighted", "tiles"]
CENTERS: tuple[str, ...] = get_args(Center)


class Placement(TypedDict, total=False):
    """The arguments that random windows pass on to `RandWindow`."""

    center: Center
    rotate_range: float
    flip_prob: float
    scale_range: float
    shift_range: float
    stride: int
    scale: float


def tile_starts(length: int, tile: int, stride: int) -> list[int]:
    """First pixels of the tiles that cover an axis; the last ends with it. A tile longer than the axis is centred."""
    last = length - tile
    return [*range(0, last, stride), last] if last > 0 else [last // 2]


class RandWindow(RandomizableTransform):
    """A randomly placed and rotated window of an image, read in one sampling with mirrored borders.

    Subclasses add a displacement. A window pixel u reads the source at `c + (M (u - m) + d(u)) / scale`: m and c are
    the window's centre in the window and in the source, M rotates, flips and zooms, and d displaces. Lengths are in
    pixels of the window, called working pixels; at scale 1 they are those of the source. Everything is drawn in
    `randomize`.

    Args:
        spatial_size: (rows, columns) of the window, or one int for both.
        center: position of the window, in whole pixels at scale 1. "image": centred in the image. "uniform": the
            centre pixel is any pixel of the image, all equally likely. "weighted": the centre pixel is drawn in
            proportion to a weight per pixel (where all are 0, as "uniform"). "tiles": one of the tiles of `tile_size`,
            every `stride` pixels, that cover the image; the last tile ends at the image's border.
        mode: "cubic", "linear" or "nearest", see `resample`.
        prob: probability of deforming and rotating; otherwise the window is only placed.
        rotate_range: angles are uniform in [-rotate_range, rotate_range], radians; `math.pi` for any.
        flip_prob: probability of a flip, for each axis independently.
        scale_range: zooms are log-uniform in [1 / (1 + scale_range), 1 + scale_range]; above 1 magnifies.
        shift_range: shifts are uniform in [-shift_range, shift_range], working pixels, for each axis independently.
        tile_size: (rows, columns) of the tiles of `center="tiles"`; default the window.
        stride: distance of tiles in working pixels.
        scale: working pixels per source pixel: 0.5 shows the image at half size. Below 1, blur the image before
            (`AntiAlias`).

    Raises:
        UserError: an argument is out of range.
    """

    backend = [TransformBackends.NUMPY, TransformBackends.TORCH]  # noqa: RUF012 - MONAI declares it so

    def __init__(
        self,
        spatial_size: Size,
        center: Center = "image",
        mode: Mode = "linear",
        prob: float = 1.0,
        rotate_range: float = 0.0,
        flip_prob: float = 0.0,
        scale_range: float = 0.0,
        shift_range: float = 0.0,
        tile_size: Size | None = None,
        stride: int = 124,
        scale: float = 1.0,
    ) -> None:
        super().__init__(check_range("prob", prob, most=1))
        self.spatial_size = check_size("spatial_size", spatial_size)
        self.tile_size = self.spatial_size if tile_size is None else check_size("tile_size", tile_size)
        self.center = check_choice("center", center, CENTERS)
        self.mode = check_choice("mode", mode, MODES)
        self.rotate_range = check_range("rotate_range", rotate_range)
        self.flip_prob = check_range("flip_prob", flip_prob, most=1)
        self.scale_range = check_range("scale_range", scale_range)
        self.shift_range = check_range("shift_range", shift_range)
        self.stride = int(check_range("stride", stride, least=1))
        self.scale = check_scale(scale)
        self.start = np.zeros(2)
        self.matrix = np.eye(2)

    def randomize(self, data: tuple[int, int], weight: NdarrayOrTensor | None = None) -> None:
        """Draw the window for an image of shape `data` = (H, W).

        Args:
            data: (H, W) of the image.
            weight: (1, H, W) or (H, W), how likely each pixel is the centre; for `center="weighted"`.
        """
        super().randomize(None)
        self.start = self._draw_start(data, weight)
        self.matrix = np.eye(2)
        if self._do_transform:
            self.matrix = self._draw_matrix()
            self.start = self.start + self.R.uniform(-self.shift_range, self.shift_range, 2) / self.scale

    def _draw_start(self, shape: tuple[int, int], weight: NdarrayOrTensor | None) -> NDArray[np.float64]:
        """Row and column, in the image, of the first pixel of the upright window."""
        return self._draw_center(shape, weight) - self._half_extent()

    def _half_extent(self) -> NDArray[np.float64]:
        """Source pixels from the first pixel of the window to its centre."""
        return (np.array(self.spatial_size) - 1) / 2 / self.scale

    def _draw_center(self, shape: tuple[int, int], weight: NdarrayOrTensor | None) -> NDArray[np.float64]:
        """Row and column, in the image, of the window's centre."""
        size = np.array(self.spatial_size)
        if self.center == "image":
            return (np.array(shape) - size) // 2 + (size - 1) / 2
        if self.center == "tiles":
            axes = [WorkingAxis(n, self.scale) for n in shape]
            starts = [tile_starts(a.working_size, n, self.stride) for a, n in zip(axes, self.tile_size, strict=True)]
            first = np.array([positions[self.R.randint(len(positions))] for positions in starts])
            center = first - (size - self.tile_size) // 2 + (size - 1) / 2
            return center * [a.step for a in axes]
        pixels = int(np.prod(shape))
        index = self._draw_weighted(shape, weight) if self.center == "weighted" else self.R.randint(pixels)
        return np.array(np.unravel_index(index, shape)) - size // 2 + (size - 1) / 2

    def _draw_weighted(self, shape: tuple[int, int], weight: NdarrayOrTensor | None) -> int:
        if weight is None:
            raise UserError('center is "weighted", but no weight came; pass `weight` (dictionaries: `weight_key`)')
        values = convert_to_numpy(weight).reshape(-1).astype(np.float64)
        if values.size != np.prod(shape):
            raise UserError(f"weight has shape {tuple(weight.shape)}, but one value per pixel of {shape} is needed")
        if not np.isfinite(values).all() or values.min() < 0:
            raise UserError("weight has negative or non-finite values; weights of centres are 0 or above")
        cumulative = values.cumsum()
        if cumulative[-1] == 0:
            return self.R.randint(values.size)
        return int(np.searchsorted(cumulative, self.R.random_sample() * cumulative[-1], side="right"))

    def _draw_matrix(self) -> NDArray[np.float64]:
        """Window offsets to working pixels' offsets: flip, then zoom and rotate."""
        angle = self.R.uniform(-self.rotate_range, self.rotate_range)
        flips = np.where(self.R.random_sample(2) < self.flip_prob, -1.0, 1.0)
        zoom = np.exp(self.R.uniform(-1, 1) * np.log1p(self.scale_range))
        cosine, sine = np.cos(angle), np.sin(angle)
        return np.array([[cosine, -sine], [sine, cosine]]) * flips / zoom

    def warp(self) -> Warp:
        """The window as last drawn; here without a displacement."""
        y, x = (np.arange(n) - (n - 1) / 2 for n in self.spatial_size)
        left = np.stack([y, np.ones_like(y)], axis=1)
        center = self.start + self._half_extent()
        matrix = self.matrix / self.scale
        right = [np.stack([np.full_like(x, m[0]), m[1] * x + c]) for m, c in zip(matrix, center, strict=True)]
        return Warp(left, np.stack(right))

    def __call__(
        self, img: NdarrayOrTensor, weight: NdarrayOrTensor | None = None, randomize: bool = True
    ) -> NdarrayOrTensor:
        """Read a window.

        Args:
            img: (C, H, W).
            weight: see `randomize`.
            randomize: draw anew; otherwise the last draw is used again.

        Returns:
            (C, *spatial_size), the type of `img`; float32, or with mode "nearest" the dtype of `img`.
        """
        shape = image_shape("img", img)
        if randomize:
            self.randomize(shape, weight)
        return resample(img, self.warp(), self.mode)


class RandWindowd(RandomizableTransform, MapTransform):
    """Dictionary version of a `RandWindow`: all keys are read from one draw, each in its own size and mode.

    Args:
        keys: items (C, H, W) of one H and W.
        window: the array transform, made for the size of the first key.
        sizes: (rows, columns) for each key: the centre of the first key's window.
        mode: one for all keys, or one per key.
        weight_key: item (1, H, W) or (H, W) that weights the centres, for `center="weighted"`; read, not changed.
        allow_missing_keys: skip keys that an item lacks.
    """

    backend = RandWindow.backend

    def __init__(
        self,
        keys: KeysCollection,
        window: RandWindow,
        sizes: Sequence[tuple[int, int]],
        mode: Mode | Sequence[Mode] = "linear",
        weight_key: str | None = None,
        allow_missing_keys: bool = False,
    ) -> None:
        MapTransform.__init__(self, keys, allow_missing_keys)
        RandomizableTransform.__init__(self, window.prob)
        if window.center == "weighted" and weight_key is None:
            raise UserError('center is "weighted", but weight_key is missing; name the item with the weights')
        self.window = window
        self.sizes = sizes
        modes = [mode] * len(self.keys) if isinstance(mode, str) else list(mode)
        if len(modes) != len(self.keys):
            raise UserError(f"mode has {len(modes)} entries for {len(self.keys)} keys; give one, or one per key")
        self.modes = [check_choice("mode", m, MODES) for m in modes]
        self.weight_key = weight_key

    def set_random_state(self, seed: int | None = None, state: np.random.RandomState | None = None) -> RandWindowd:
        super().set_random_state(seed, state)
        self.window.set_random_state(seed, state)
        return self

    def randomize(self, data: tuple[int, int], weight: NdarrayOrTensor | None = None) -> None:
        self.window.randomize(data, weight)
        self._do_transform = self.window._do_transform

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        item = dict(data)
        shapes = {key: image_shape(str(key), item[key]) for key in self.key_iterator(item)}
        if len(set(shapes.values())) > 1:
            raise UserError(f"keys differ in (H, W): {shapes}; one window needs them equal")
        if not shapes:
            return item
        if self.weight_key is not None and self.weight_key not in item:
            raise UserError(f"weight_key is {self.weight_key!r}, but the item has only {sorted(map(str, item))}")
        self.randomize(next(iter(shapes.values())), item.get(self.weight_key))
        warp = self.window.warp()
        keys_of_size: dict[tuple[int, int], list[tuple[Hashable, Mode]]] = {}
        for key, size, mode in self.key_iterator(item, self.sizes, self.modes):
            keys_of_size.setdefault(size, []).append((key, mode))
        for size, chosen in keys_of_size.items():
            keys, modes = zip(*chosen, strict=True)
            item.update(zip(keys, resample_together([item[key] for key in keys], warp.crop(size), modes), strict=True))
        return item
