"""Open and unpack zip archives from untrusted sources safely."""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import UserError
from .files import is_inside, require_space

LARGEST = 32 * 2**30
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1


@contextmanager
def open_archive(path: str | os.PathLike[str], largest: int = LARGEST) -> Iterator[zipfile.ZipFile]:
    """Open a zip whose members have been checked.

    Args:
        path: the zip.
        largest: largest total size of the unpacked members in bytes.

    Raises:
        UserError: not a zip, truncated or corrupt, also inside the block; a member that is encrypted, a link or device,
            not compressed by deflate, points outside the archive, or is duplicated; too large.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            _check(archive, path, largest)
            yield archive
    # All that `zipfile` raises for a broken archive, as far as found with damaged ones; errors of the caller pass.
    except (zipfile.BadZipFile, EOFError, NotImplementedError, zlib.error) as error:
        raise UserError(f"{path}: truncated, corrupt or not a zip archive ({error}); fetch it again") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be unpacked ({error.strerror or error}); check file and free space") from error


def unpack(path: str | os.PathLike[str], folder: Path, largest: int = LARGEST) -> None:
    """Unpack a zip into a folder.

    Raises:
        UserError: as `open_archive`, or the disk is full. Files unpacked before an error are kept.
    """
    with open_archive(path, largest) as archive:
        require_space(folder, sum(member.file_size for member in archive.infolist()))
        archive.extractall(folder)


def _check(archive: zipfile.ZipFile, path: Path, largest: int) -> None:
    names: set[str] = set()
    for member in archive.infolist():
        name = member.orig_filename
        kind = stat.S_IFMT(member.external_attr >> 16)
        if not is_inside(name):
            raise UserError(f"{path}: holds {name}, which points outside of it; do not use this archive")
        if member.flag_bits & _ENCRYPTED:
            raise UserError(f"{path}: {name} is encrypted; unpack it yourself and give the folder")
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise UserError(f"{path}: {name} is a link or a device; do not use this archive")
        if member.compress_type not in _METHODS:
            raise UserError(f"{path}: {name} is compressed by an unknown method; make the zip with deflate")
        if name.rstrip("/").casefold() in names:
            raise UserError(f"{path}: holds {name} twice; do not use this archive")
        names.add(name.rstrip("/").casefold())
    total = sum(member.file_size for member in archive.infolist())
    if total > largest:
        raise UserError(
            f"{path}: unpacks to {total / 2**30:.1f} GiB, at most {largest / 2**30:.1f} GiB are accepted; "
            "unpack it yourself and give the folder, if you trust it"
        )
