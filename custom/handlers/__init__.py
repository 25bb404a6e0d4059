"""Ignite handlers."""

from .best_model import BestModelSaver
from .checkpoint import TrainingCheckpoint
from .clip import GradientClip
from .early_stop import ResumableEarlyStop
from .finite_loss import FiniteLoss
from .metrics import (
    IoUHandler,
    PixelErrorHandler,
    RandErrorHandler,
    SegHandler,
    VInfoHandler,
    VRandHandler,
    WarpingErrorHandler,
)
from .pictures import TrainingPictures, ValidationPictures
from .report import RunReport
from .reseed import EpochSeed
from .save import SegmentationSaver
from .time_limit import SharedTimeLimit

__all__ = [
    "BestModelSaver",
    "EpochSeed",
    "FiniteLoss",
    "GradientClip",
    "IoUHandler",
    "PixelErrorHandler",
    "RandErrorHandler",
    "ResumableEarlyStop",
    "RunReport",
    "SegHandler",
    "SegmentationSaver",
    "SharedTimeLimit",
    "TrainingCheckpoint",
    "TrainingPictures",
    "VInfoHandler",
    "VRandHandler",
    "ValidationPictures",
    "WarpingErrorHandler",
]
