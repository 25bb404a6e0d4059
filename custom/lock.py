"""Locks of folders against other processes, on every operating system."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from .errors import UserError

NAME = ".lock"
_held: dict[Path, FileLock] = {}


@contextmanager
def lock(folder: str | os.PathLike[str], name: str = NAME) -> Iterator[None]:
    """Keep other processes out of a folder during a block. The folder is made if it is missing.

    The operating system releases the lock of a process that ends, however it ends; the empty file `folder/name` stays.

    Args:
        folder: the folder to lock.
        name: name of the lock. A process and its child that both work in the folder use locks of different names.

    Raises:
        UserError: another process has the lock, or the file cannot be made.
    """
    held = _acquire(Path(folder), name)
    try:
        yield
    finally:
        held.release()


def hold_lock(folder: str | os.PathLike[str], name: str = NAME) -> None:
    """As `lock`, until this process ends; a second call in the same process does nothing. Of the processes of one
    distributed training, only the first may call it.

    Raises:
        UserError: as `lock`.
    """
    path = Path(folder).resolve() / name
    if path not in _held:
        _held[path] = _acquire(path.parent, name)


def _acquire(folder: Path, name: str) -> FileLock:
    file = FileLock(folder / name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file.acquire(blocking=False)
    except Timeout as error:
        raise UserError(f"{folder}: another process is writing to it; wait until it ends, or stop it") from error
    except OSError as error:
        raise UserError(f"{folder}: cannot be locked ({error.strerror or error}); choose another folder") from error
    return file
