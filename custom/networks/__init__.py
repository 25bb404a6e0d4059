"""Networks."""

from .build import build_network
from .same_padding import SamePaddingNetwork
from .valid_unet import ValidUNet
from .weights import load_state, read_state

__all__ = ["SamePaddingNetwork", "ValidUNet", "build_network", "load_state", "read_state"]
