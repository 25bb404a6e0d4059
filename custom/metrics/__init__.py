"""The measures of ISBI 2012 and of the Cell Tracking Challenge: pure functions and cumulative metrics."""

import lazy_loader

# Functions with the name of their module are imported here, or the name would give the module.
from .iou import iou as iou
from .object_errors import object_errors as object_errors
from .pixel_error import pixel_error as pixel_error
from .seg import seg as seg

# Names are in __init__.pyi and imported on first use.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
