from .cumulative import CalibrationError, Dice, IoU, PixelError, RandError, Seg, VInfo, VRand, WarpingError
from .iou import iou
from .object_errors import ObjectError, object_errors
from .pixel_error import pixel_error
from .rand import rand_error
from .second_protocol import v_info, v_rand
from .seg import seg
from .warping import warping_error

__all__ = [
    "CalibrationError",
    "Dice",
    "IoU",
    "ObjectError",
    "PixelError",
    "RandError",
    "Seg",
    "VInfo",
    "VRand",
    "WarpingError",
    "iou",
    "object_errors",
    "pixel_error",
    "rand_error",
    "seg",
    "v_info",
    "v_rand",
    "warping_error",
]
