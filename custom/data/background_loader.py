"""A data loader that leaves the processor to the network where both need it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from monai.data import ThreadDataLoader
from torch.utils.data import Dataset


class BackgroundLoader(ThreadDataLoader):
    """`monai.data.ThreadDataLoader`, whose thread prepares the next batch while a GPU computes.

    For a network on the processor batches are prepared in turn with its steps: a thread beside the network takes the
    core of one of its threads, for which the others wait. With two cores, 16 features and tiles of 380 pixels a step
    took 1.14 times as long.

    Args:
        dataset: see `torch.utils.data.DataLoader`.
        device: of the network.
        kwargs: further arguments of `torch.utils.data.DataLoader`.
    """

    def __init__(self, dataset: Dataset[Any], device: torch.device | str, **kwargs: Any) -> None:
        super().__init__(dataset, **kwargs)  # type: ignore[arg-type]
        self.in_turn = torch.device(device).type == "cpu"

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        batches: Iterator[Any] = super(ThreadDataLoader, self).__iter__() if self.in_turn else super().__iter__()
        return batches
