"""Checksums and the zip of a finished bundle folder."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

from custom.files import replace_file

CHECKSUMS = "SHA256SUMS"
_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest a zip can hold; the same files give the same zip


def files_of(folder: Path) -> list[Path]:
    """All files below a folder, sorted by name."""
    return sorted(file for file in folder.rglob("*") if file.is_file())


def write_checksums(folder: Path) -> None:
    """Write `SHA256SUMS`, as `sha256sum` reads it, of all files of the folder."""
    lines = (
        f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.relative_to(folder).as_posix()}\n"
        for file in files_of(folder)
    )
    (folder / CHECKSUMS).write_text("".join(list(lines)), encoding="utf-8")


def altered_files(folder: Path) -> list[str]:
    """Names in `SHA256SUMS` whose file is missing or has other contents."""
    altered = []
    for line in (folder / CHECKSUMS).read_text(encoding="utf-8").splitlines():
        expected, _, name = line.partition("  ")
        file = folder / name
        if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != expected:
            altered.append(name)
    return altered


def write_zip(folder: Path, name: str, target: Path) -> None:
    """Zip the files of a folder under the folder name `name`; the zip appears complete or not at all.

    Raises:
        UserError: the zip cannot be written.
    """
    with replace_file(target) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files_of(folder):
            entry = zipfile.ZipInfo(f"{name}/{file.relative_to(folder).as_posix()}", _DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, file.read_bytes())
