"""MONAI's Gaussian noise, drawn in float32."""

from __future__ import annotations

import numpy as np
import torch
from monai import transforms
from monai.config import DtypeLike, KeysCollection, NdarrayOrTensor
from monai.transforms import RandomizableTransform

SEEDS = 2**32


class RandGaussianNoise(transforms.RandGaussianNoise):
    """`monai.transforms.RandGaussianNoise` with its arguments and its distribution, but drawn by PyTorch.

    MONAI draws float64 numbers and rounds them, which takes half of the time of a training window. The numbers differ
    from MONAI's of the same seed.

    Example:
        >>> noise = RandGaussianNoise(prob=1.0, std=0.5, sample_std=False).set_random_state(seed=0)
        >>> float(noise(torch.zeros(1, 300, 400)).std().round(decimals=2))
        0.5
    """

    def randomize(self, img: NdarrayOrTensor, mean: float | None = None) -> None:
        """Draw the noise of an image of any shape."""
        RandomizableTransform.randomize(self, None)
        if not self._do_transform:
            return
        std = self.R.uniform(0, self.std) if self.sample_std else self.std
        generator = torch.Generator().manual_seed(int(self.R.randint(SEEDS, dtype=np.uint64)))
        noise = torch.randn(tuple(img.shape), generator=generator)
        self.noise = noise.mul_(std).add_(self.mean if mean is None else mean).numpy()


class RandGaussianNoised(transforms.RandGaussianNoised):
    """Dictionary version of `RandGaussianNoise`; arguments as `monai.transforms.RandGaussianNoised`.

    Example:
        >>> noise = RandGaussianNoised("image", prob=1.0).set_random_state(seed=0)
        >>> noise({"image": torch.zeros(1, 3, 5)})["image"].shape
        torch.Size([1, 3, 5])
    """

    def __init__(
        self,
        keys: KeysCollection,
        prob: float = 0.1,
        mean: float = 0.0,
        std: float = 0.1,
        dtype: DtypeLike = np.float32,
        allow_missing_keys: bool = False,
        sample_std: bool = True,
    ) -> None:
        super().__init__(keys, prob, mean, std, dtype, allow_missing_keys, sample_std)
        self.rand_gaussian_noise = RandGaussianNoise(1.0, mean, std, dtype, sample_std)


RandGaussianNoiseD = RandGaussianNoiseDict = RandGaussianNoised
