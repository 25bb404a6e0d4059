"""What MONAI lacks for the U-Net of 2015: valid-padding network, augmentation, weight map, inference, measures."""

from . import cli, data, handlers, inferers, losses, networks, transforms

__all__ = ["cli", "data", "handlers", "inferers", "losses", "metrics", "networks", "transforms"]

__version__ = "0.1.0"
