"""The measures as MONAI metrics, which accumulate the counts of every image and reduce them at the end of the run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import torch
from monai.metrics import CumulativeIterationMetric
from monai.utils import evenly_divisible_all_gather
from numpy.typing import NDArray

from ..classes import class_keys, classes_of, foreground_of
from ..constants import FOREGROUND, IGNORED, IGNORED_INSTANCE
from .calibration import BINS, CalibrationScore, calibration_counts, calibration_of_counts
from .classes import (
    ClassScore,
    ForegroundScore,
    class_dices,
    class_ious,
    class_pixel_counts,
    class_pixel_errors,
    overlap_counts,
)
from .iou import iou_of_counts
from .pixel_error import pixel_counts, pixel_error_of_counts
from .rand import rand_counts, rand_error_of_counts
from .second_protocol import v_info_scores, v_of_scores, v_rand_scores
from .seg import SegScore, seg_counts, seg_of_counts
from .sweep import THRESHOLDS, Score
from .warping import warping_counts, warping_error_of_counts

AnyScore: TypeAlias = Score | SegScore | ClassScore | CalibrationScore


class StackMetric(CumulativeIterationMetric):
    """Base of the measures that score all images of a run as one stack.

    Call it with `y_pred`, a prediction (B, 1, H, W) or (B, K, H, W) as in `custom.classes`, and `y`, the class indices
    (B, 1, H, W); or with lists of images of any sizes. Foreground is class 1, with more than two classes all but 0;
    pixels of class `ignore` are left out. Its buffer holds the counts of each image, so that ranks of a distributed run
    may see different numbers of images, even none; use a sampler that repeats no image.

    Args:
        counts: function of label, prediction and validity of one image, all (H, W); returns counts of shape `shape`.
        reduce: function of the counts of all images, (N, *shape); returns the result.
        shape: shape of the counts of one image.
        ignore: value of `y` that marks pixels without a label.
    """

    def __init__(
        self,
        counts: Callable[[NDArray, NDArray, NDArray], NDArray],
        reduce: Callable[[NDArray], AnyScore],
        shape: tuple[int, ...],
        ignore: int,
    ) -> None:
        super().__init__()
        self.counts, self.reduce, self.shape, self.ignore = counts, reduce, shape, ignore

    def score(self) -> AnyScore:
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
        if y is None or y_pred.ndim != 4 or y_pred.shape[1] == 2 or y.shape != (len(y_pred), 1, *y_pred.shape[2:]):
            shapes = f"{tuple(y_pred.shape)} and {None if y is None else tuple(y.shape)}"
            raise ValueError(f"y_pred and y have shapes {shapes}: give both as (B, 1, H, W) or lists of (1, H, W)")
        counts = [self._image(p, r) for p, r in zip(_numpy(y_pred), _numpy(y[:, 0]), strict=True)]
        return torch.from_numpy(np.stack(counts).astype(np.float64))

    def _image(self, prediction: NDArray, reference: NDArray) -> NDArray:
        """Counts of one image, from a prediction (1, H, W) or (K, H, W) and class indices (H, W)."""
        valid = reference != self.ignore
        truth = reference == FOREGROUND if len(prediction) == 1 else (reference != 0) & valid
        return self.counts(truth, foreground_of(prediction)[0], valid)

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
    """Pixel error of ISBI 2012, see `pixel_error`; of more than two classes, of each against the others, and the mean.

    Example:
        >>> metric = PixelError()
        >>> _ = metric(torch.tensor([[[[0.9, 0.2, 0.8]]]]), torch.tensor([[[[1, 1, 0]]]]))
        >>> round(metric.score().value, 3)  # at the best threshold, which calls all three foreground
        0.2

    Args:
        ignore: see `StackMetric`.
        classes: names of the classes; two may be left out.
    """

    def __init__(self, ignore: int = IGNORED, classes: Sequence[str] = ()) -> None:
        self.several = len(classes) > 2
        shape = (len(THRESHOLDS), 3)
        if self.several:
            reduce = partial(class_pixel_errors, names=classes)
            super().__init__(class_pixel_counts, reduce, (len(classes), *shape), ignore)
        else:
            super().__init__(pixel_counts, pixel_error_of_counts, shape, ignore)

    def _image(self, prediction: NDArray, reference: NDArray) -> NDArray:
        if not self.several:
            return super()._image(prediction, reference)
        return self.counts(reference, prediction, reference != self.ignore)


class _Overlap(StackMetric):
    """Base of the measures that compare masks: pixels of each class in label and mask, and in label or mask."""

    def __init__(
        self, reduce: Callable[[NDArray], AnyScore], ignore: int, threshold: float, classes: Sequence[str]
    ) -> None:
        count = max(len(classes), 2)
        super().__init__(partial(overlap_counts, classes=count), reduce, (count, 2), ignore)
        self.threshold, self.several = threshold, count > 2

    def _image(self, prediction: NDArray, reference: NDArray) -> NDArray:
        valid = reference != self.ignore
        if self.several:
            return self.counts(reference, classes_of(prediction, self.threshold)[0], valid)
        # A foreground probability counts from above the threshold on, as in the pixel error.
        return self.counts(reference == FOREGROUND, prediction[0].astype(float) > self.threshold, valid)


class IoU(_Overlap):
    """IoU at one threshold: of the foreground of two classes, see `iou`, with that of the background beside it if the
    classes have names; of more classes, of each, and their mean.

    Example:
        >>> metric = IoU()
        >>> _ = metric(torch.tensor([[[[0.9, 0.2, 0.8]]]]), torch.tensor([[[[1, 1, 0]]]]))
        >>> round(metric.score().value, 3)
        0.333

    Args:
        ignore: see `StackMetric`.
        threshold: on the probability of foreground.
        classes: names of the classes; two may be left out.
    """

    def __init__(self, ignore: int = IGNORED, threshold: float = 0.5, classes: Sequence[str] = ()) -> None:
        reduce = partial(class_ious, names=classes) if len(classes) > 2 else self._of_two
        self.background = f"{class_keys(classes)[0]}" if len(classes) == 2 else None
        super().__init__(reduce, ignore, threshold, classes)

    def _of_two(self, counts: NDArray) -> Score:
        foreground = iou_of_counts(counts[:, 1], self.threshold)
        if self.background is None:
            return foreground
        background = iou_of_counts(counts[:, 0], self.threshold)
        return ForegroundScore(**vars(foreground), others={self.background: background.value})


class Dice(_Overlap):
    """Dice coefficient of each class, and their mean; for arguments see `IoU`.

    Example:
        >>> metric = Dice(["background", "cell"])
        >>> _ = metric(torch.tensor([[[[0.9, 0.2, 0.8]]]]), torch.tensor([[[[1, 1, 0]]]]))
        >>> metric.score().value
        0.25
    """

    def __init__(self, classes: Sequence[str], ignore: int = IGNORED, threshold: float = 0.5) -> None:
        super().__init__(partial(class_dices, names=classes), ignore, threshold, classes)


class CalibrationError(StackMetric):
    """Expected calibration error of the foreground's probability, see `custom.metrics.calibration`.

    Example:
        >>> metric = CalibrationError()
        >>> _ = metric(torch.full((1, 1, 1, 4), 0.75), torch.tensor([[[[1, 1, 1, 0]]]]))
        >>> metric.score().value
        0.0
    """

    def __init__(self, ignore: int = IGNORED) -> None:
        super().__init__(calibration_counts, calibration_of_counts, (3, BINS), ignore)


class RandError(StackMetric):
    """Foreground-restricted Rand error of ISBI 2012, see `rand_error`.

    Example:
        >>> metric = RandError()
        >>> _ = metric(torch.full((1, 1, 1, 5), 0.9), torch.tensor([[[[1, 1, 0, 1, 1]]]]))  # two objects joined
        >>> round(metric.score().value, 3)
        0.333
    """

    def __init__(self, ignore: int = IGNORED) -> None:
        super().__init__(rand_counts, rand_error_of_counts, (len(THRESHOLDS), 3), ignore)


class VRand(StackMetric):
    """V_rand of ISBI 2012, see `v_rand`.

    Example:
        >>> metric = VRand()
        >>> _ = metric(torch.tensor([[[[0.9, 0.9, 0.1, 0.9]]]]), torch.tensor([[[[1, 1, 0, 1]]]]))
        >>> metric.score().value
        1.0
    """

    def __init__(self, ignore: int = IGNORED) -> None:
        super().__init__(v_rand_scores, v_of_scores, (len(THRESHOLDS),), ignore)


class VInfo(StackMetric):
    """V_info of ISBI 2012, see `v_info`.

    Example:
        >>> metric = VInfo()
        >>> _ = metric(torch.tensor([[[[0.9, 0.9, 0.1, 0.9]]]]), torch.tensor([[[[1, 1, 0, 1]]]]))
        >>> metric.score().value
        1.0
    """

    def __init__(self, ignore: int = IGNORED) -> None:
        super().__init__(v_info_scores, v_of_scores, (len(THRESHOLDS),), ignore)


class WarpingError(StackMetric):
    """Warping error of ISBI 2012, see `warping_error`.

    Example:
        >>> metric = WarpingError()
        >>> label = torch.tensor([[1, 1, 0, 1, 1]] * 3)[None, None]
        >>> _ = metric(torch.ones(1, 1, 3, 5), label)  # two objects joined at every threshold below 1
        >>> round(metric.score().value, 2)
        0.2
    """

    def __init__(self, ignore: int = IGNORED) -> None:
        super().__init__(warping_counts, warping_error_of_counts, (len(THRESHOLDS), 6), ignore)


class Seg(StackMetric):
    """SEG of the Cell Tracking Challenge, see `seg`.

    Here `y_pred` and `y` hold the numbers of the predicted and the reference objects, 0 for background; pixels of `y`
    with the value `ignore` are left out.

    Example:
        >>> metric = Seg()
        >>> _ = metric(torch.tensor([[[[5, 5, 5, 0]]]]), torch.tensor([[[[1, 1, 1, 1]]]]))
        >>> metric.score().value
        0.75
    """

    def __init__(self, ignore: int = IGNORED_INSTANCE) -> None:
        super().__init__(seg_counts, seg_of_counts, (2,), ignore)

    def _image(self, prediction: NDArray, reference: NDArray) -> NDArray:
        return self.counts(reference, prediction[0], reference != self.ignore)
