"""Random state as a function of seed and epoch."""

from __future__ import annotations

import random

import numpy as np
import torch
import torch.distributed as dist
from ignite.engine import Engine, Events
from monai.data.utils import set_rnd
from torch.utils.data import Dataset


class EpochSeed:
    """Handler of a trainer: seeds Python, NumPy, PyTorch and the data set's random transforms when an epoch starts.

    A resumed run then draws the same random numbers as an uninterrupted one, without saved generator states: the state
    at the start of an epoch depends only on ``seed``, the epoch and the rank.

    Args:
        seed: non-negative integer.
        dataset: its transforms are seeded by `monai.data.utils.set_rnd`; workers, if any, take theirs from PyTorch.
    """

    def __init__(self, seed: int, dataset: Dataset) -> None:
        self.seed = seed
        self.dataset = dataset

    def attach(self, trainer: Engine) -> None:
        """Seed at the start of every epoch."""
        trainer.add_event_handler(Events.EPOCH_STARTED, self)

    def __call__(self, trainer: Engine) -> None:
        rank = dist.get_rank() if dist.is_available() and dist.is_initialized() else 0
        seed = int(np.random.SeedSequence((self.seed, trainer.state.epoch, rank)).generate_state(1)[0])
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        set_rnd(self.dataset, seed)
