"""Networks."""

from .same_padding import SamePaddingNetwork
from .valid_unet import ValidUNet
from .weights import load_weights

__all__ = ["SamePaddingNetwork", "ValidUNet", "load_weights"]
