"""Networks."""

from .valid_unet import ValidUNet

__all__ = ["ValidUNet"]
