"""What a caller may name: images, tags and uploaded files, all inside one folder."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import Any

LONGEST = 200  # bytes of UTF-8; file systems allow 255, endings and temporary names included
# The same as in custom.data, which the app runs without; a test holds them equal.
TIFF_SUFFIXES = (".tif", ".tiff", ".btf", ".tf8", ".tf2")
IMAGE_SUFFIXES = (".png", *TIFF_SUFFIXES, ".jpg", ".jpeg", ".bmp")
LABEL_SUFFIXES = (".png", *TIFF_SUFFIXES, ".bmp", ".nii.gz")
DEVICE_NAMES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # of Windows, with any ending
TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class RequestError(Exception):
    """A request that is not carried out: the HTTP status, and one line that says why."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail


def is_plain(name: Any) -> bool:
    """Whether `name` is one part of a path: no separator of any system, no control character, not `.` or `..`."""
    return (
        isinstance(name, str)
        and name not in ("", ".", "..")
        and not any(character in "/\\" or unicodedata.category(character).startswith("C") for character in name)
    )


def check_name(name: Any, kind: str = "image") -> str:
    """A name for a new file, which every file system can hold.

    Raises:
        RequestError: a path, a hidden or reserved name, one with special characters, or a long one.
    """
    if (
        not is_plain(name)
        or any(character in ':*?"<>|' for character in name)
        or name.startswith(".")
        or name != name.strip()
        or name.endswith(".")
        or DEVICE_NAMES.fullmatch(name)
    ):
        raise RequestError(
            400, f"{kind} {shown(name)}: not a file name; give one without / \\ : * ? \" < > | and without '..'"
        )
    if len(name.encode()) > LONGEST:
        raise RequestError(400, f"{kind} {shown(name)}: longer than {LONGEST} bytes; give a shorter name")
    return name


def check_tag(tag: Any) -> str:
    """A tag of labels, the name of a folder beside `final` and `original`; `RequestError` if it is none."""
    found = TAG.fullmatch(tag) if isinstance(tag, str) else None
    if found is None:
        raise RequestError(400, f"tag {shown(tag)}: give letters, digits, - and _, such as final")
    return found[0]  # a plain string, where MONAI Label has an enum


def check_suffix(name: Any, allowed: tuple[str, ...]) -> str:
    """The name of an uploaded file, one of the formats `allowed` by its ending in any case.

    Raises:
        RequestError: another format, or not a name.
    """
    check_name(name, "file")
    if not name.lower().endswith(allowed):
        raise RequestError(415, f"file {shown(name)}: give one of {', '.join(allowed)}")
    return name


def check_inside(folder: Path, file: Path) -> Path:
    """A file to be written or removed below `folder`.

    Raises:
        RequestError: it is outside, or a symbolic link would lead there.
    """
    if file.is_symlink() or not file.resolve().is_relative_to(folder.resolve()):
        raise RequestError(400, f"{shown(file.name)}: not in the folder of images, or a link; give a plain name")
    return file


def shown(value: Any) -> str:
    """A value for a message: quoted, escaped, of bounded length."""
    text = ascii(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
