"""Anti-aliasing of images for the working scale, before random windows are read."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import numpy as np
from monai.config import KeysCollection, NdarrayOrTensor
from monai.transforms import MapTransform, Transform
from monai.utils import TransformBackends, convert_to_dst_type, convert_to_numpy

from ..data.scale import anti_alias, check_scale
from .arguments import image_shape


class AntiAlias(Transform):
    """Gaussian blur that removes detail finer than the working grid, the same as in `OverlapTileInferer`.

    The image keeps its size: the random window that follows does the only resampling. The standard deviation is
    (1 / scale - 1) / 2 pixels, as in `skimage.transform.rescale`; borders are mirrored.

    Example:
        >>> image = np.zeros((1, 1, 5), np.float32)
        >>> image[0, 0, 2] = 1
        >>> AntiAlias(scale=0.5)(image)[0, 0].round(2)
        array([0.  , 0.11, 0.79, 0.11, 0.  ], dtype=float32)

    Args:
        scale: working pixels per image pixel; at 1 and above the image is not changed.

    Raises:
        UserError: `scale` is out of range.
    """

    backend = [TransformBackends.NUMPY]  # noqa: RUF012 (MONAI's own attribute)

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = check_scale(scale)

    def __call__(self, img: NdarrayOrTensor) -> NdarrayOrTensor:
        """
        Args:
            img: (C, H, W), any type.

        Returns:
            (C, H, W) float32 in the container of the input; the input itself at scale 1 and above.
        """
        image_shape("img", img)
        if self.scale >= 1:
            return img
        blurred = anti_alias(convert_to_numpy(img).astype(np.float32, copy=False), self.scale)
        return convert_to_dst_type(blurred, img, dtype=np.float32)[0]


class AntiAliasd(MapTransform):
    """Dictionary version of `AntiAlias`.

    Example:
        >>> item = {"image": np.ones((1, 4, 5), np.float32), "label": np.ones((1, 4, 5), np.uint8)}
        >>> AntiAliasd("image", scale=0.5)(item)["image"].shape
        (1, 4, 5)

    Args:
        keys: images (C, H, W), not labels and weights.
        scale: see `AntiAlias`.
        allow_missing_keys: skip keys that an item lacks.
    """

    backend = AntiAlias.backend

    def __init__(self, keys: KeysCollection, scale: float = 1.0, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.blur = AntiAlias(scale)

    def __call__(self, data: Mapping[Hashable, NdarrayOrTensor]) -> dict[Hashable, NdarrayOrTensor]:
        d = dict(data)
        for key in self.key_iterator(d):
            d[key] = self.blur(d[key])
        return d


AntiAliasD = AntiAliasDict = AntiAliasd
