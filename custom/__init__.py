"""What MONAI lacks for the U-Net of 2015: the valid-padding network, its augmentation, weight map, inference and measures."""

from . import cli, data, handlers, inferers, losses, networks, transforms

__all__ = ["cli", "data", "handlers", "inferers", "losses", "metrics", "networks", "transforms"]
