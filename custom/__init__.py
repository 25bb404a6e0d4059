"""What MONAI lacks for the U-Net of 2015: valid-padding network, augmentation, weight map, inference, measures."""

from . import (
    cli,
    data,
    describe,
    engines,
    evaluation,
    fine_tune,
    handlers,
    inferers,
    losses,
    metrics,
    model,
    networks,
    run_settings,
    schedules,
    settings,
    transforms,
)
from .segmenter import Segmentation, Segmenter

__all__ = [
    "Segmentation",
    "Segmenter",
    "cli",
    "data",
    "describe",
    "engines",
    "evaluation",
    "fine_tune",
    "handlers",
    "inferers",
    "losses",
    "metrics",
    "model",
    "networks",
    "run_settings",
    "schedules",
    "settings",
    "transforms",
]

__version__ = "0.1.0"
