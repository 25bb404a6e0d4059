"""What MONAI lacks for the U-Net of 2015: valid-padding network, augmentation, weight map, inference, measures."""

import lazy_loader

# Names are in __init__.pyi and imported on first use: PyTorch and MONAI take seconds, and few commands need all.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

__version__ = "0.1.0"
