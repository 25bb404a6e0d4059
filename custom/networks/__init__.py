"""Networks."""

from .valid_unet import ValidUNet
from .weights import load_weights

__all__ = ["ValidUNet", "load_weights"]
