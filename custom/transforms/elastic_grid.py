"""The paper's elastic deformation: random vectors on a coarse grid, interpolated by splines."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Unpack

import numpy as np
from monai.config import KeysCollection, NdarrayOrTensor
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from ..errors import UserError
from .arguments import Size, check_range, check_size, check_sizes, smallest
from .random_window import Placement, RandWindow, RandWindowd
from .sampling import Mode, Warp


@lru_cache(maxsize=32)
def spline_matrix(points: int, size: int) -> NDArray[np.float64]:
    """Matrix of cubic B-spline interpolation from control points, the outer two at the first and last pixel, to pixels.

    Values at the control points are interpolated exactly (prefilter, mirror boundary), as in `elasticdeform` and
    `scipy.ndimage.zoom(order=3)`.

    Returns:
        (size, points), read-only.
    """
    position = np.linspace(0, points - 1, size)
    columns = [map_coordinates(unit, position[None], order=3, mode="mirror") for unit in np.eye(points)]
    matrix = np.stack(columns, axis=1)
    matrix.setflags(write=False)
    return matrix


class RandElasticGrid(RandWindow):
    """Random window with elastic deformation (Ronneberger, Fischer, Brox 2015, section 3.1), in one sampling.

    Displacement vectors are drawn on a coarse grid over the window, its outer points on the window's corner pixels.
    Between them the displacement is the interpolating cubic B-spline. It adds to rotation, flip, scale and shift;
    borders are mirrored at any distance, without repeating the edge pixel. Without displacement, rotation, flip, zoom
    and shift the result is exactly the mirrored window.

    Example:
        >>> window = RandElasticGrid((40, 60), sigma=10, rotate_range=np.pi, flip_prob=0.5, center="uniform")
        >>> window(np.zeros((1, 30, 50), np.float32)).shape
        (1, 40, 60)

    Args:
        spatial_size: (rows, columns) of the window, or one int for both.
        grid_shape: control points (rows, columns), each at least 2.
        sigma: standard deviation of each component of a vector, working pixels.
        mode: "cubic", "linear" or "nearest".
        prob: probability of deforming and rotating; otherwise the window is only placed.
        placement: `center`, `rotate_range`, `flip_prob`, `scale_range`, `shift_range`, `stride`, `tile_size`,
            `scale`: see `RandWindow`.

    Raises:
        UserError: an argument is out of range.
    """

    def __init__(
        self,
        spatial_size: Size,
        grid_shape: Size = (3, 3),
        sigma: float = 10.0,
        mode: Mode = "cubic",
        prob: float = 1.0,
        tile_size: Size | None = None,
        **placement: Unpack[Placement],
    ) -> None:
        super().__init__(spatial_size, mode=mode, prob=prob, tile_size=tile_size, **placement)
        self.grid_shape = check_size("grid_shape", grid_shape)
        if min(self.grid_shape) < 2:
            raise UserError(f"grid_shape is {self.grid_shape}, but needs at least 2 points per axis")
        self.sigma = check_range("sigma", sigma)
        self.vectors = np.zeros((2, *self.grid_shape))

    def randomize(self, data: tuple[int, int], weight: NdarrayOrTensor | None = None) -> None:
        """Draw the window (see `RandWindow.randomize`) and the vectors (2, *grid_shape): rows, columns."""
        super().randomize(data, weight)
        self.vectors = np.zeros((2, *self.grid_shape))
        if self._do_transform:
            self.vectors = self.R.normal(0.0, self.sigma, self.vectors.shape)

    def warp(self) -> Warp:
        affine = super().warp()
        rows, columns = (spline_matrix(g, n) for g, n in zip(self.grid_shape, self.spatial_size, strict=True))
        left = np.concatenate([rows, affine.left], axis=1)
        right = np.concatenate([self.vectors / self.scale @ columns.T, affine.right], axis=1)
        return Warp(left, right)


class RandElasticGridd(RandWindowd):
    """Dictionary version of `RandElasticGrid`: image, label and weights from one draw, each in its size and mode.

    Example:
        >>> window = RandElasticGridd(["image", "label"], spatial_size=[[60, 60], [20, 20]], mode=["cubic", "nearest"])
        >>> item = {"image": np.zeros((1, 30, 50), np.float32), "label": np.zeros((1, 30, 50), np.uint8)}
        >>> {key: value.shape for key, value in window(item).items()}
        {'image': (1, 60, 60), 'label': (1, 20, 20)}

    Args:
        keys: items (C, H, W) of one H and W.
        spatial_size: (rows, columns) or one int for all keys, or a list with one of these per key, such as
            [572, 388, 388]. The first is the size of the window; the others are cropped from its centre.
        mode: "cubic", "linear" or "nearest", for all keys or per key; "nearest" keeps the dtype (labels).
        grid_shape: control points (rows, columns).
        sigma: standard deviation in working pixels.
        prob: probability of deforming and rotating; otherwise the window is only placed.
        weight_key: item (1, H, W) that weights the centres, for `center="weighted"`.
        allow_missing_keys: skip keys that an item lacks.
        placement: `center`, `rotate_range`, `flip_prob`, `scale_range`, `shift_range`, `stride`, `scale`:
            see `RandWindow`. The tiles of `center="tiles"` have the smallest size of all keys.

    Raises:
        UserError: an argument is out of range; an item's keys differ in (H, W).
    """

    def __init__(
        self,
        keys: KeysCollection,
        spatial_size: Any,
        mode: Mode | Sequence[Mode] = "linear",
        grid_shape: Size = (3, 3),
        sigma: float = 10.0,
        prob: float = 1.0,
        weight_key: str | None = None,
        allow_missing_keys: bool = False,
        **placement: Unpack[Placement],
    ) -> None:
        sizes = check_sizes(keys, spatial_size)
        window = RandElasticGrid(sizes[0], grid_shape, sigma, prob=prob, tile_size=smallest(sizes), **placement)
        super().__init__(keys, window, sizes, mode, weight_key, allow_missing_keys)


RandElasticGridD = RandElasticGridDict = RandElasticGridd
