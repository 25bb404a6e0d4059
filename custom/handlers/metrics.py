"""Ignite handlers of the challenges' measures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from monai.handlers import IgniteMetricHandler

from ..constants import IGNORED, IGNORED_INSTANCE
from ..metrics.cumulative import (
    CalibrationError,
    Dice,
    IoU,
    PixelError,
    RandError,
    Seg,
    StackMetric,
    VInfo,
    VRand,
    WarpingError,
)
from ..metrics.swept_seg import SweptSeg
from ..transforms.postprocessing import Method

SEG_THRESHOLDS = (0.2, 0.3, 0.4, 0.5)  # the best ones of trained models were among them


class StackMetricHandler(IgniteMetricHandler):
    """Writes a measure's value to `engine.state.metrics[name]`, and its further numbers to `name_*`.

    `engine.state.metric_details[name]` gets the score of each image (N,), in the order that `MetricsSaver` expects.

    Args:
        metric_fn: the measure.
        output_transform: converts the engine's output to the arguments `(y_pred, y)` of the measure.
        save_details: whether to keep the scores of the images.
    """

    metric_fn: StackMetric

    def __init__(
        self, metric_fn: StackMetric, output_transform: Callable = lambda x: x, save_details: bool = True
    ) -> None:
        super().__init__(metric_fn=metric_fn, output_transform=output_transform, save_details=save_details)

    def compute(self) -> Any:
        value, score = super().compute(), self.metric_fn.score()
        if self._engine is not None:
            self._engine.state.metrics.update({f"{self._name}_{key}": x for key, x in score.extras().items()})
            if self.save_details:
                self._engine.state.metric_details[self._name] = np.array(score.per_image)  # type: ignore[attr-defined]
        return value


class PixelErrorHandler(StackMetricHandler):
    """Pixel error of ISBI 2012 over all images of a run; `y_pred` is a prediction, see `custom.classes`.

    With the names of more than two classes it is the mean over them, with that of each class beside it.
    """

    def __init__(
        self,
        output_transform: Callable = lambda x: x,
        save_details: bool = True,
        ignore: int = IGNORED,
        classes: Sequence[str] = (),
    ) -> None:
        super().__init__(PixelError(ignore, classes), output_transform, save_details)


class IoUHandler(StackMetricHandler):
    """IoU at one threshold over all images of a run; `y_pred` is a prediction, see `custom.classes`.

    Of two classes it is that of the foreground, with that of the background beside it if the classes are named; of
    more, the mean over them, with that of each class beside it.
    """

    def __init__(
        self,
        output_transform: Callable = lambda x: x,
        save_details: bool = True,
        ignore: int = IGNORED,
        threshold: float = 0.5,
        classes: Sequence[str] = (),
    ) -> None:
        super().__init__(IoU(ignore, threshold, classes), output_transform, save_details)


class DiceHandler(StackMetricHandler):
    """Dice coefficient, mean over the classes and of each, over all images of a run; arguments as of `IoUHandler`."""

    def __init__(
        self,
        classes: Sequence[str],
        output_transform: Callable = lambda x: x,
        save_details: bool = True,
        ignore: int = IGNORED,
        threshold: float = 0.5,
    ) -> None:
        super().__init__(Dice(classes, ignore, threshold), output_transform, save_details)


class CalibrationErrorHandler(StackMetricHandler):
    """Expected calibration error over all images of a run; of the foreground of the prediction `y_pred`."""

    def __init__(
        self, output_transform: Callable = lambda x: x, save_details: bool = True, ignore: int = IGNORED
    ) -> None:
        super().__init__(CalibrationError(ignore), output_transform, save_details)


class RandErrorHandler(StackMetricHandler):
    """Foreground Rand error of ISBI 2012 over all images of a run; of the foreground of the prediction `y_pred`."""

    def __init__(
        self, output_transform: Callable = lambda x: x, save_details: bool = True, ignore: int = IGNORED
    ) -> None:
        super().__init__(RandError(ignore), output_transform, save_details)


class VRandHandler(StackMetricHandler):
    """V_rand of ISBI 2012 over all images of a run; of the foreground of the prediction `y_pred`."""

    def __init__(
        self, output_transform: Callable = lambda x: x, save_details: bool = True, ignore: int = IGNORED
    ) -> None:
        super().__init__(VRand(ignore), output_transform, save_details)


class VInfoHandler(StackMetricHandler):
    """V_info of ISBI 2012 over all images of a run; of the foreground of the prediction `y_pred`."""

    def __init__(
        self, output_transform: Callable = lambda x: x, save_details: bool = True, ignore: int = IGNORED
    ) -> None:
        super().__init__(VInfo(ignore), output_transform, save_details)


class WarpingErrorHandler(StackMetricHandler):
    """Warping error of ISBI 2012 over all images of a run; of the foreground of the prediction `y_pred`."""

    def __init__(
        self, output_transform: Callable = lambda x: x, save_details: bool = True, ignore: int = IGNORED
    ) -> None:
        super().__init__(WarpingError(ignore), output_transform, save_details)


class SegHandler(StackMetricHandler):
    """SEG of the Cell Tracking Challenge over all images of a run; `y_pred` and `y` hold the objects' numbers."""

    def __init__(
        self, output_transform: Callable = lambda x: x, save_details: bool = True, ignore: int = IGNORED_INSTANCE
    ) -> None:
        super().__init__(Seg(ignore), output_transform, save_details)


class SweptSegHandler(StackMetricHandler):
    """SEG over all images of a run at the best of `SEG_THRESHOLDS`; `y_pred` is a prediction, `y` objects' numbers.

    Args:
        output_transform, save_details, ignore: see `SegHandler`.
        method, sigma, height, min_size, grow: see `ProbabilityToInstances`.
    """

    def __init__(
        self,
        output_transform: Callable = lambda x: x,
        save_details: bool = True,
        ignore: int = IGNORED_INSTANCE,
        method: Method = "watershed",
        sigma: float = 2.0,
        height: float = 5.0,
        min_size: int = 0,
        grow: int = 0,
    ) -> None:
        metric = SweptSeg(SEG_THRESHOLDS, method, sigma, height, min_size, grow, ignore)
        super().__init__(metric, output_transform, save_details)
