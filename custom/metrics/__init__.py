"""The measures of ISBI 2012 and of the Cell Tracking Challenge: pure functions and cumulative metrics."""

from __future__ import annotations

from .cumulative import IoU, PixelError
from .iou import iou
from .pixel_error import pixel_error

__all__ = ["IoU", "PixelError", "iou", "pixel_error"]
