"""What MONAI lacks for the U-Net of 2015: valid-padding network, augmentation, weight map, inference, measures."""

from . import cli, data, describe, handlers, inferers, losses, metrics, model, networks, transforms

__all__ = ["cli", "data", "describe", "handlers", "inferers", "losses", "metrics", "model", "networks", "transforms"]

__version__ = "0.1.0"
