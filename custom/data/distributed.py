"""Which images each process of a distributed run validates or evaluates on."""

from __future__ import annotations

import torch.distributed as dist
from monai.data import Dataset, DistributedSampler
from torch.utils.data import Sampler, SequentialSampler

from ..errors import UserError


def share_images(dataset: Dataset) -> Sampler:
    """Sampler of this process: the processes take turns, no image is taken twice and none is left out.

    Raises:
        UserError: there are images, but fewer than processes. MONAI's engines pass over an empty share, and all others
            would wait for its process for ever.
    """
    images, processes = len(dataset), dist.get_world_size()
    if images == 0:
        return SequentialSampler(dataset)
    if images < processes:
        raise UserError(
            f"{images} images to score on for {processes} processes: start at most {images}, or list more images"
        )
    return DistributedSampler(dataset, even_divisible=False, shuffle=False)
