"""The random numbers of an epoch depend only on seed and epoch."""

from __future__ import annotations

import random

import numpy as np
import torch
from ignite.engine import Engine
from monai.data import Dataset
from monai.transforms import Compose, RandGaussianNoise

from custom.handlers import EpochSeed


def draws(seed: int, epochs: int, first: int = 0) -> list[tuple]:
    dataset = Dataset([np.zeros((1, 2, 3))], Compose([RandGaussianNoise(prob=1.0)]))
    seen: list[tuple] = []

    def step(engine, batch):
        seen.append((random.random(), np.random.rand(), torch.rand(1).item(), float(dataset[0].sum())))

    trainer = Engine(step)
    EpochSeed(seed, dataset).attach(trainer)
    trainer.state.epoch, trainer.state.iteration = first, 2 * first
    trainer.state.max_epochs, trainer.state.epoch_length = epochs, 2
    trainer.run([0, 0], max_epochs=epochs, epoch_length=2)
    return seen


def test_a_later_start_draws_the_same():
    assert draws(7, 4)[-4:] == draws(7, 4, first=2)


def test_epochs_and_seeds_differ():
    seen = draws(7, 3) + draws(8, 3)
    for numbers in zip(*seen, strict=True):
        assert len(set(numbers)) == len(seen)
