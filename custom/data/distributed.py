"""Which images each process of a distributed run validates or evaluates on."""

from __future__ import annotations

import torch.distributed as dist
from monai.data import Dataset, DistributedSampler
from torch.utils.data import Sampler, SequentialSampler

from ..errors import UserError


def share_images(dataset: Dataset) -> Sampler:
    """Sampler of this process: images are dealt out in turn, each to exactly one process.

    Raises:
        UserError: there are images, but fewer than processes. MONAI's engines skip an empty share, and the other
            processes would wait forever.
    """
    images, processes = len(dataset), dist.get_world_size()
    if images == 0:
        return SequentialSampler(dataset)
    if images < processes:
        raise UserError(
            f"{images} images to score on for {processes} processes: start at most {images}, or list more images"
        )
    return DistributedSampler(dataset, even_divisible=False, shuffle=False)
