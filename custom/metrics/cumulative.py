"""The measures as MONAI metrics, which accumulate the counts of every image and reduce them at the end of the run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from monai.metrics import CumulativeIterationMetric
from monai.utils import evenly_divisible_all_gather
from numpy.typing import NDArray

from ..constants import FOREGROUND, IGNORED, IGNORED_INSTANCE
from .iou import iou_counts, iou_of_counts
from .pixel_error import pixel_counts, pixel_error_of_counts
from .rand import rand_counts, rand_error_of_counts
from .second_protocol import v_info_scores, v_of_scores, v_rand_scores
from .seg import SegScore, seg_counts, seg_of_counts
from .sweep import THRESHOLDS, Score
from .warping import warping_counts, warping_error_of_counts


class StackMetric(CumulativeIterationMetric):
    """Base of the measures that score all images of a run as one stack.

    Call it with `y_pred`, the foreground probability, and `y`, the class indices, both (B, 1, H, W) or lists of
    (1, H, W) of any sizes. Class 1 is foreground; pixels of class `ignore` are left out. Its buffer holds the counts of
    each image, so that ranks of a distributed run may see different numbers of images, even none; use a sampler that
    repeats no image.

    Args:
        counts: function of label, prediction and validity of one image, all (H, W); returns counts of shape `shape`.
        reduce: function of the counts of all images, (N, *shape); returns the result.
        shape: shape of the counts of one image.
        ignore: value of `y` that marks pixels without a label.
    """

    def __init__(
        self,
        counts: Callable[[NDArray, NDArray, NDArray], NDArray],
        reduce: Callable[[NDArray], Score | SegScore],
        shape: tuple[int, ...],
        ignore: int,
    ) -> None:
        super().__init__()
        self.counts, self.reduce, self.shape, self.ignore = counts, reduce, shape, ignore

    def score(self) -> Score | SegScore:
        """The result for all images seen by all ranks since the last reset, see `reduce`."""
        return self.reduce(self.gathered())

    def aggregate(self) -> torch.Tensor:
        """The value of `score()`, a scalar."""
        return torch.tensor(self.score().value, dtype=torch.float64)

    def gathered(self) -> NDArray:
        """Counts of all images of all ranks, (N, *shape).

        Raises:
            ValueError: there was no image.
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
        return self.counts(reference == FOREGROUND, prediction, reference != self.ignore)

    def _sync(self) -> None:
        if self._buffers is None:  # a rank without images has to take part in the gathering, too
            nothing = torch.zeros((0, *self.shape), dtype=torch.float64)
            self._synced_tensors = [evenly_divisible_all_gather(nothing, concat=True)]
            self._synced = True
        super()._sync()


def _numpy(images: torch.Tensor) -> NDArray:
    images = images.detach().cpu()
    return np.asarray(images.float() if images.dtype in (torch.float16, torch.bfloat16) else images)


class PixelError(StackMetric):
    """Pixel error of ISBI 2012, see `pixel_error`."""

    def __init__(self, ignore: int = IGNORED) -> None:
        super().__init__(pixel_counts, pixel_error_of_counts, (len(THRESHOLDS), 3), ignore)


class IoU(StackMetric):
    """Foreground IoU at one threshold, see `iou`."""

    def __init__(self, ignore: int = IGNORED, threshold: float = 0.5) -> None:
        counts = partial(iou_counts, threshold=threshold)
        super().__init__(counts, partial(iou_of_counts, threshold=threshold), (2,), ignore)


class RandError(StackMetric):
    """Foreground-restricted Rand error of ISBI 2012, see `rand_error`."""

    def __init__(self, ignore: int = IGNORED) -> None:
        super().__init__(rand_counts, rand_error_of_counts, (len(THRESHOLDS), 3), ignore)


class VRand(StackMetric):
    """V_rand of ISBI 2012, see `v_rand`."""

    def __init__(self, ignore: int = IGNORED) -> None:
        super().__init__(v_rand_scores, v_of_scores, (len(THRESHOLDS),), ignore)


class VInfo(StackMetric):
    """V_info of ISBI 2012, see `v_info`."""

    def __init__(self, ignore: int = IGNORED) -> None:
        super().__init__(v_info_scores, v_of_scores, (len(THRESHOLDS),), ignore)


class WarpingError(StackMetric):
    """Warping error of ISBI 2012, see `warping_error`."""

    def __init__(self, ignore: int = IGNORED) -> None:
        super().__init__(warping_counts, warping_error_of_counts, (len(THRESHOLDS), 6), ignore)


class Seg(StackMetric):
    """SEG of the Cell Tracking Challenge, see `seg`.

    Here `y_pred` and `y` hold the numbers of the predicted and the reference objects, 0 for background; pixels of `y`
    with the value `ignore` are left out.
    """

    def __init__(self, ignore: int = IGNORED_INSTANCE) -> None:
        super().__init__(seg_counts, seg_of_counts, (2,), ignore)

    def _image(self, prediction: NDArray, reference: NDArray) -> NDArray:
        return self.counts(reference, prediction, reference != self.ignore)
