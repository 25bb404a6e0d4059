"""Checksums of files, and the list of those of a folder."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from .errors import UserError
from .files import is_inside, replace_file

CHECKSUMS = "SHA256SUMS"


def sha256_of(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file's content, hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_of(folder: Path) -> list[Path]:
    """All files below a folder, sorted by name."""
    return sorted(file for file in folder.rglob("*") if file.is_file())


def write_checksums(folder: Path) -> None:
    """Write `SHA256SUMS` of all other files of the folder, in the format of `sha256sum`."""
    files = [file for file in files_of(folder) if file != folder / CHECKSUMS]
    lines = [f"{sha256_of(file)}  {file.relative_to(folder).as_posix()}\n" for file in files]
    with replace_file(folder / CHECKSUMS) as temporary:
        temporary.write_text("".join(lines), encoding="utf-8", newline="\n")  # a name would end in CR on Windows


def parse_checksums(text: str, name: str = CHECKSUMS) -> dict[str, str]:
    """SHA-256 by relative file name, of the text of a `SHA256SUMS`.

    Raises:
        UserError: a line is not `CHECKSUM  NAME`, or a name is absolute, points outside the folder or is duplicated.
    """
    sums: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        match = re.fullmatch(r"([0-9a-f]{64})  (.+)", line)
        if match is None or not is_inside(match[2]) or match[2] in sums:
            raise UserError(f"{name}: line {number} is not a checksum and the name of a file inside; get it again")
        sums[match[2]] = match[1]
    return sums


def altered_files(folder: Path) -> list[str]:
    """Names in `SHA256SUMS` of the folder whose file is missing or was changed.

    Raises:
        UserError: `SHA256SUMS` is missing or not in the format of `sha256sum`.
    """
    path = folder / CHECKSUMS
    if not path.is_file():
        raise UserError(f"{path}: missing; get the folder again")
    sums = parse_checksums(path.read_text(encoding="utf-8", errors="replace"), str(path))
    return [
        name for name, digest in sums.items() if not (folder / name).is_file() or sha256_of(folder / name) != digest
    ]
