"""A file that another one describes by its checksum is kept until both are replaced, so that a kill parts no pair."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from .checksums import sha256_of


def described_file(path: Path, description: str) -> Path:
    """The file that a text with its SHA-256 means: what was kept of it if the text has the checksum of that."""
    kept = _kept(path)
    return kept if kept.is_file() and sha256_of(kept) in description else path


def keep(path: Path, description: Path) -> None:
    """Give the file that a file with its SHA-256 means a second name; call it before both are replaced."""
    text = description.read_text(encoding="utf-8", errors="replace") if description.is_file() else ""
    with suppress(FileNotFoundError):
        described_file(path, text).replace(_kept(path))


def drop(path: Path) -> None:
    """Remove what was kept of a file; call it when both are replaced."""
    _kept(path).unlink(missing_ok=True)


def _kept(path: Path) -> Path:
    return path.with_name(f".{path.name}.kept")
