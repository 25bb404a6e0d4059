"""Files and folders that appear under their final name complete, or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import UserError


@contextmanager
def replace_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path in the folder of `path`, and rename it to `path` when the block ends well.

    The folder is made if it is missing. A file that was at `path` is replaced.

    Raises:
        UserError: the folder cannot be written or the disk is full; nothing is left under the name, nor beside it.
    """
    path = Path(path)
    # The suffix stays at the end: writers choose their format by it.
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise UserError(_cannot_write(path, error)) from error
    finally:
        # Not even the existence test works in a folder that cannot be entered.
        if os.path.lexists(temporary):
            temporary.unlink()


@contextmanager
def new_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary folder beside `path`, and rename it to `path` when the block ends well.

    Raises:
        UserError: `path` exists and is not an empty folder, the disk is full or the parent cannot be written; nothing
            is left under the name, nor beside it.
    """
    path = Path(path)
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise UserError(f"{path}: exists already; give a new or empty folder")
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent))
        # mkdtemp makes a folder for its owner only; what is prepared is as public as any folder.
        temporary.chmod(0o777 & ~_umask())
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise UserError(_cannot_write(path, error)) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def require_writable(folder: str | os.PathLike[str]) -> Path:
    """Make a folder if it is missing, and return it; raise UserError if files cannot be made in it."""
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")
    except OSError as error:
        raise UserError(_cannot_write(folder, error)) from error
    return folder


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _cannot_write(path: Path, error: OSError) -> str:
    reason = error.strerror or str(error)
    return f"{path}: cannot be written ({reason}); choose a folder that you may write and that has free space"
