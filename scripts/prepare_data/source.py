"""Where the data come from: an archive downloaded with its checksum, a local archive, or a local folder."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from monai.apps import download_url

from custom.archive import unpack
from custom.errors import UserError
from custom.files import errors_name


@dataclass(frozen=True)
class Archive:
    """A published archive: its address, the folder it holds, and its SHA-256 if one is known."""

    url: str
    folder: str
    sha256: str | None = None


@contextmanager
def open_source(source: Path | None, archive: Archive, download_dir: Path) -> Iterator[Path]:
    """The folder with the data of `archive`.

    Args:
        source: archive or folder at hand; the folder may be what the archive holds, or contain it. None: download.
        archive: what is published.
        download_dir: where a downloaded archive is kept, for the next time.

    Raises:
        UserError: no such source, a download that fails or has another checksum, a broken or unsafe archive.
    """
    if source is None:
        source = download(archive, download_dir)
    if source.is_dir():
        yield _inner(source, archive)
    elif source.is_file():
        with tempfile.TemporaryDirectory() as folder, errors_name(source, Path(folder)):
            unpack(source, Path(folder))
            yield _inner(Path(folder), archive)
    else:
        raise UserError(f"{source}: no such file or folder; give the archive {archive.url} or its folder")


def _inner(folder: Path, archive: Archive) -> Path:
    nested = folder / archive.folder
    return nested if nested.is_dir() else folder


def download(archive: Archive, download_dir: Path) -> Path:
    """Fetch the archive, unless it is there already, and check it. Raises UserError if that fails."""
    path = download_dir / PurePosixPath(archive.url).name
    try:
        download_dir.mkdir(parents=True, exist_ok=True)
        with warnings.catch_warnings():
            # Without a checksum of the archive, the files in it are checked once they are out.
            warnings.filterwarnings("ignore", "No hash value provided")
            download_url(archive.url, path, hash_val=archive.sha256, hash_type="sha256")
    except Exception as error:  # no network, no such page, another checksum: each library level has its own
        reason = " ".join(str(error).split())
        raise UserError(
            f"{archive.url}: cannot be downloaded to {path} ({reason}); fetch it by hand and give it as --source"
        ) from error
    return path
