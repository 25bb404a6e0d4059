"""Networks."""

from .build import build_network
from .ensemble import Ensemble
from .same_padding import SamePaddingNetwork
from .valid_unet import ValidUNet
from .weights import load_state, read_state

__all__ = ["Ensemble", "SamePaddingNetwork", "ValidUNet", "build_network", "load_state", "read_state"]
