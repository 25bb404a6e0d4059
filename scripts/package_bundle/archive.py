"""The zip of a finished bundle folder."""

from __future__ import annotations

import zipfile
from pathlib import Path

from custom.checksums import files_of
from custom.files import replace_file

_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest a zip can hold; the same files give the same zip


def write_zip(folder: Path, name: str, target: Path) -> None:
    """Zip the files of a folder under the folder name `name`, atomically.

    Raises:
        UserError: the zip cannot be written.
    """
    with replace_file(target) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files_of(folder):
            entry = zipfile.ZipInfo(f"{name}/{file.relative_to(folder).as_posix()}", _DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, file.read_bytes())
