"""Shares of images, in two forked processes."""

from __future__ import annotations

import pytest
import torch.distributed as dist
import torch.multiprocessing as multiprocessing
from monai.data import Dataset

from custom.data import share_images
from custom.errors import UserError


def _rank(rank: int, count: int, file: str, results) -> None:
    dist.init_process_group("gloo", init_method=f"file://{file}", rank=rank, world_size=2)
    try:
        results[rank] = list(share_images(Dataset(range(count))))
    except UserError as error:
        results[rank] = str(error)
    dist.destroy_process_group()


@pytest.mark.parametrize(
    ("count", "shares"),
    [
        (5, [[0, 2, 4], [1, 3]]),
        (4, [[0, 2], [1, 3]]),
        (0, [[], []]),
        (1, ["1 images to score on for 2 processes: start at most 1, or list more images"] * 2),
    ],
)
def test_the_processes_take_turns(tmp_path, count, shares):
    with multiprocessing.Manager() as manager:
        results = manager.dict()
        multiprocessing.start_processes(_rank, (count, str(tmp_path / "store"), results), nprocs=2, start_method="fork")
        assert [results[rank] for rank in (0, 1)] == shares
