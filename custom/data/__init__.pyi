from .background_loader import BackgroundLoader
from .datalist import Datalist, read_dataset, write_dataset
from .distributed import share_images
from .gray import GrayRule, GrayRules, contrast_of, to_gray
from .image_io import count_pages, read_image, read_item, read_mask, write_channels, write_image
from .inputs import InputImages, find_images
from .labels import LabelFormat
from .load import LoadMicroscopyD, LoadMicroscopyd, LoadMicroscopyDict
from .mirror import mirror_index, mirror_window
from .synthetic import ensure_synthetic, make_synthetic

__all__ = [
    "BackgroundLoader",
    "Datalist",
    "GrayRule",
    "GrayRules",
    "InputImages",
    "LabelFormat",
    "LoadMicroscopyD",
    "LoadMicroscopyDict",
    "LoadMicroscopyd",
    "contrast_of",
    "count_pages",
    "ensure_synthetic",
    "find_images",
    "make_synthetic",
    "mirror_index",
    "mirror_window",
    "read_dataset",
    "read_image",
    "read_item",
    "read_mask",
    "share_images",
    "to_gray",
    "write_channels",
    "write_dataset",
    "write_image",
]
