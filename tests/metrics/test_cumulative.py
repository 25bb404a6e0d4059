"""Cumulative metrics: batches, lists and ranks give the results of the pure functions for the whole stack."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
import torch.multiprocessing as multiprocessing

from custom import metrics
from custom.metrics import IoU, PixelError, RandError, Seg, VInfo, VRand, WarpingError

PAIRS = [
    (PixelError, metrics.pixel_error),
    (IoU, metrics.iou),
    (RandError, metrics.rand_error),
    (VRand, metrics.v_rand),
    (VInfo, metrics.v_info),
    (WarpingError, metrics.warping_error),
    (Seg, metrics.seg),
]
IGNORE = {Seg: -1}


def images(cls: type, count: int, size: tuple[int, int], seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Predictions and references (count, 1, H, W), some pixels of the references to ignore."""
    random = np.random.RandomState(seed)
    cells = random.choice([0, 1], (count, 1, -(-size[0] // 4), -(-size[1] // 3)))
    label = np.kron(cells, np.ones((4, 3)))[:, :, : size[0], : size[1]]
    label = np.where(random.rand(*label.shape) < 0.1, IGNORE.get(cls, 255), label)
    if cls is Seg:
        return torch.from_numpy(np.roll(label, 1, -1).clip(0)), torch.from_numpy(label)
    proposal = np.clip(np.clip(label, 0, 1) + random.normal(0, 0.4, label.shape), 0, 1)
    return torch.from_numpy(proposal).float(), torch.from_numpy(label).float()


def expected(cls: type, function, batches: list[tuple[torch.Tensor, torch.Tensor]]):
    predictions = [image.numpy() for batch, _ in batches for image in batch[:, 0]]
    labels = [image.numpy() for _, batch in batches for image in batch[:, 0]]
    return function(labels, predictions, [label != IGNORE.get(cls, 255) for label in labels])


@pytest.mark.parametrize(("cls", "function"), PAIRS)
def test_batches_and_lists_equal_the_stack(cls, function):
    batches = [images(cls, 2, (17, 22), 1), images(cls, 1, (12, 31), 2), images(cls, 1, (17, 22), 3)]
    metric = cls()
    metric(*batches[0])
    metric(y_pred=[batches[1][0][0], batches[2][0][0]], y=[batches[1][1][0], batches[2][1][0]])
    assert metric.score() == expected(cls, function, batches)
    assert metric.aggregate().item() == metric.score().value
    assert len(metric) == len(metric.score().per_image) == 4


def test_reset_forgets():
    batches = [images(PixelError, 1, (9, 14), seed) for seed in (1, 2)]
    metric = PixelError()
    metric(*batches[0])
    metric.aggregate()
    metric.reset()
    metric(*batches[1])
    assert metric.score() == expected(PixelError, metrics.pixel_error, batches[1:])


def test_class_one_is_foreground_and_ignore_can_be_chosen():
    y = torch.tensor([[[[0.0, 1, 2, 7]]]])
    metric = IoU(ignore=7)
    metric(torch.tensor([[[[0.9, 0.9, 0.9, 0.9]]]]), y)
    assert metric.score().value == pytest.approx(1 / 3)


def test_the_iou_takes_a_threshold():
    y_pred, y = images(IoU, 2, (9, 14))
    metric = IoU(threshold=0.3)
    metric(y_pred, y)
    expected = metrics.iou(y[:, 0].numpy(), y_pred[:, 0].numpy(), y[:, 0].numpy() != 255, threshold=0.3)
    assert metric.score() == expected
    assert metric.score() != metrics.iou(y[:, 0].numpy(), y_pred[:, 0].numpy(), y[:, 0].numpy() != 255)


def test_half_precision_equals_its_values_in_double_precision():
    y_pred, y = images(PixelError, 1, (9, 14))
    metric = PixelError()
    metric(y_pred.bfloat16(), y)
    assert metric.score() == expected(PixelError, metrics.pixel_error, [(y_pred.bfloat16().double(), y)])


@pytest.mark.parametrize(
    ("prediction", "label"), [((1, 2, 5, 7), (1, 1, 5, 7)), ((1, 1, 5, 7), (1, 1, 7, 5)), ((1, 5, 7), (1, 5, 7))]
)
def test_wrong_shapes(prediction, label):
    with pytest.raises(ValueError, match=rf"{re.escape(f'{prediction} and {label}')}.*\(B, 1, H, W\)"):
        PixelError()(torch.zeros(prediction), torch.zeros(label))


def test_no_image():
    with pytest.raises(ValueError, match="PixelError has seen no image"):
        PixelError().aggregate()


def _rank(rank: int, cls: type, file: str, results) -> None:
    torch.distributed.init_process_group("gloo", init_method=f"file://{file}", rank=rank, world_size=2)
    three = [images(cls, 1, (9 + n, 14), n) for n in range(3)]
    shares = {"uneven": [three[:1], three[1:]], "one rank idle": [three, []]}
    for name, share in shares.items():
        metric = cls()
        for batch in share[rank]:
            metric(*batch)
        results[name, rank] = metric.score()
    torch.distributed.destroy_process_group()


@pytest.mark.parametrize(("cls", "function"), PAIRS)
def test_ranks_count_every_image_once(cls, function, tmp_path):
    three = [images(cls, 1, (9 + n, 14), n) for n in range(3)]
    with multiprocessing.Manager() as manager:
        results = manager.dict()
        # Forked, because importing everything anew in each rank takes longer than all other tests together.
        multiprocessing.start_processes(_rank, (cls, str(tmp_path / "store"), results), nprocs=2, start_method="fork")
        assert set(results.values()) == {expected(cls, function, three)}
        assert len(results) == 4
