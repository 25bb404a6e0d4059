"""Files, data sets, and what lies beyond the border of an image."""

from .datalist import Datalist, read_dataset, write_dataset
from .image_io import count_pages, read_image, read_mask, to_gray, write_image
from .labels import LabelFormat
from .load import LoadMicroscopyd, LoadMicroscopyD, LoadMicroscopyDict
from .mirror import mirror_index, mirror_window
from .synthetic import ensure_synthetic, make_synthetic

__all__ = [
    "Datalist",
    "LabelFormat",
    "LoadMicroscopyD",
    "LoadMicroscopyDict",
    "LoadMicroscopyd",
    "count_pages",
    "ensure_synthetic",
    "make_synthetic",
    "mirror_index",
    "mirror_window",
    "read_dataset",
    "read_image",
    "read_mask",
    "to_gray",
    "write_dataset",
    "write_image",
]
