"""Files, data sets, and what lies beyond the border of an image."""

import lazy_loader

# Names are in __init__.pyi and imported on first use.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
