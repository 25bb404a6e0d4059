"""Ignite handlers."""

from .best_model import BestModelSaver
from .busy_machine import BusyMachine
from .checkpoint import TrainingCheckpoint
from .clip import GradientClip
from .console import EpochLine
from .early_stop import ResumableEarlyStop
from .finite_loss import FiniteLoss
from .metrics import (
    CalibrationErrorHandler,
    DiceHandler,
    IoUHandler,
    PixelErrorHandler,
    RandErrorHandler,
    SegHandler,
    SweptSegHandler,
    VInfoHandler,
    VRandHandler,
    WarpingErrorHandler,
)
from .pictures import TrainingPictures, ValidationPictures
from .report import RunReport
from .reseed import EpochSeed
from .save import SegmentationSaver
from .score_table import ScoreTable
from .scores import ScoresSaver
from .smoothed_score import SmoothedScore
from .time_estimate import TimeEstimate
from .time_limit import TimeLimit
from .validation import Validation

__all__ = [
    "BestModelSaver",
    "BusyMachine",
    "CalibrationErrorHandler",
    "DiceHandler",
    "EpochLine",
    "EpochSeed",
    "FiniteLoss",
    "GradientClip",
    "IoUHandler",
    "PixelErrorHandler",
    "RandErrorHandler",
    "ResumableEarlyStop",
    "RunReport",
    "ScoreTable",
    "ScoresSaver",
    "SegHandler",
    "SegmentationSaver",
    "SmoothedScore",
    "SweptSegHandler",
    "TimeEstimate",
    "TimeLimit",
    "TrainingCheckpoint",
    "TrainingPictures",
    "VInfoHandler",
    "VRandHandler",
    "Validation",
    "ValidationPictures",
    "WarpingErrorHandler",
]
