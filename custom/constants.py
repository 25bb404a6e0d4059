"""Values with a fixed meaning in class maps and instance maps."""

from __future__ import annotations

FOREGROUND = 1
"""Class that the measures of two classes score, and class of every object of an instance map."""

CONTACT = 2
"""Class of the pixels near two cells, in the labels of a training with `contact`."""

IGNORED = 255
"""Class of pixels that are ignored by losses and measures."""

IGNORED_INSTANCE = -1
"""Instance id of ignored pixels."""
