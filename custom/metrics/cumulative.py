"""The measures as MONAI metrics: they gather the counts of every image and reduce them at the end of the run."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from monai.metrics import CumulativeIterationMetric
from monai.utils import evenly_divisible_all_gather
from numpy.typing import NDArray

from .iou import iou_counts, iou_of_counts
from .pixel_error import pixel_counts, pixel_error_of_counts
from .sweep import THRESHOLDS, Score


class StackMetric(CumulativeIterationMetric):
    """Base of the measures that score all images of a run as one stack.

    Call it with `y_pred`, the foreground probability, and `y`, the class indices, both (B, 1, H, W) or lists of
    (1, H, W) of any sizes. Class 1 is foreground; pixels of class `ignore` are left out. Its buffer holds the counts of
    each image, so that ranks of a distributed run may see different numbers of images, even none; use a sampler that
    repeats no image.

    Args:
        ignore: value of `y` that marks pixels without a label.
    """

    shape: tuple[int, ...]

    def __init__(self, ignore: int = 255) -> None:
        super().__init__()
        self.ignore = ignore

    def counts(self, label: NDArray, proposal: NDArray, valid: NDArray) -> NDArray:
        """Counts of one image, of shape `self.shape`; all arguments are (H, W)."""
        raise NotImplementedError

    def score(self) -> Any:
        """The result for all images seen by all ranks since the last reset."""
        raise NotImplementedError

    def aggregate(self) -> torch.Tensor:
        """The value of `score()`, a scalar."""
        return torch.tensor(self.score().value, dtype=torch.float64)

    def gathered(self) -> NDArray:
        """Counts of all images of all ranks, (N, *shape).

        Raises:
            ValueError: no image was seen.
        """
        buffer = self.get_buffer().cpu().numpy()
        if len(buffer) == 0:
            raise ValueError(f"{type(self).__name__} has seen no image: call it before aggregating")
        return buffer

    def _compute_tensor(self, y_pred: torch.Tensor, y: torch.Tensor | None = None, **kwargs: Any) -> torch.Tensor:
        if y is None or y_pred.ndim != 4 or y_pred.shape[1] != 1 or y_pred.shape != y.shape:
            shapes = f"{tuple(y_pred.shape)} and {None if y is None else tuple(y.shape)}"
            raise ValueError(f"y_pred and y have shapes {shapes}: give both as (B, 1, H, W) or lists of (1, H, W)")
        counts = [self._image(p, r) for p, r in zip(_numpy(y_pred[:, 0]), _numpy(y[:, 0]), strict=True)]
        return torch.from_numpy(np.stack(counts).astype(np.float64))

    def _image(self, prediction: NDArray, reference: NDArray) -> NDArray:
        return self.counts(reference == 1, prediction, reference != self.ignore)

    def _sync(self) -> None:
        if self._buffers is None:  # A rank without an image still has to take part in the gathering.
            nothing = torch.zeros((0, *self.shape), dtype=torch.float64)
            self._synced_tensors = [evenly_divisible_all_gather(nothing, concat=True)]
            self._synced = True
        super()._sync()


def _numpy(images: torch.Tensor) -> NDArray:
    images = images.detach().cpu()
    return np.asarray(images.float() if images.dtype in (torch.float16, torch.bfloat16) else images)


class PixelError(StackMetric):
    """Pixel error of ISBI 2012, see `pixel_error`."""

    shape = (len(THRESHOLDS), 3)

    def counts(self, label: NDArray, proposal: NDArray, valid: NDArray) -> NDArray:
        return pixel_counts(label, proposal, valid)

    def score(self) -> Score:
        return pixel_error_of_counts(self.gathered())


class IoU(StackMetric):
    """Foreground IoU at threshold 0.5, see `iou`."""

    shape = (2,)

    def counts(self, label: NDArray, proposal: NDArray, valid: NDArray) -> NDArray:
        return iou_counts(label, proposal, valid)

    def score(self) -> Score:
        return iou_of_counts(self.gathered())
