"""Batches come from a thread beside a GPU, and in turn with a network on the processor; they are the same."""

from __future__ import annotations

from threading import current_thread

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from custom.data import BackgroundLoader


class Threads(Dataset[str]):
    """The name of the thread that asks."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> str:
        return current_thread().name


@pytest.mark.parametrize(("device", "here"), [("cpu", True), (torch.device("cpu"), True), ("cuda:0", False)])
def test_the_thread_that_prepares_batches(device, here) -> None:
    threads = [name for batch in BackgroundLoader(Threads(), device) for name in batch]
    assert [name == current_thread().name for name in threads] == [here, here]


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_batches_and_random_state_are_those_of_a_plain_loader(device) -> None:
    drawn = []
    for loader in (DataLoader, lambda *args, **kwargs: BackgroundLoader(*args, device=device, **kwargs)):
        torch.manual_seed(0)
        order = [batch.tolist() for batch in loader(torch.arange(10), batch_size=3, shuffle=True)]
        drawn.append((order, torch.rand(1).item()))
    assert drawn[0] == drawn[1]
