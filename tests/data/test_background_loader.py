"""The thread of the loader computes with one thread, all others with as many as before."""

from __future__ import annotations

from threading import Thread

import pytest
import torch
from torch.utils.data import Dataset

from custom.data import BackgroundLoader


class ThreadsOfPyTorch(Dataset[int]):
    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> int:
        return torch.get_num_threads()


def threads_of_a_new_thread() -> int:
    found: list[int] = []
    thread = Thread(target=lambda: found.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    return found[0]


@pytest.fixture
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("three_threads")
def test_only_the_loader_computes_with_one_thread() -> None:
    loader = BackgroundLoader(ThreadsOfPyTorch(), batch_size=2)
    for _ in range(2):
        batches = [(batch.tolist(), torch.get_num_threads(), threads_of_a_new_thread()) for batch in loader]
        assert batches == [([1, 1], 3, 3)] * 2
    assert torch.get_num_threads() == threads_of_a_new_thread() == 3


def test_batches_and_random_state_are_those_of_a_plain_loader() -> None:
    data = torch.arange(10)
    drawn = []
    for kind in (torch.utils.data.DataLoader, BackgroundLoader):
        torch.manual_seed(0)
        order = [batch.tolist() for batch in kind(data, batch_size=3, shuffle=True)]
        drawn.append((order, torch.rand(1).item()))
    assert drawn[0] == drawn[1]
