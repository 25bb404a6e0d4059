"""Atomic writing of files and folders; names; free space."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

import psutil

from .errors import UserError

_HOST = hashlib.sha256(platform.node().encode()).hexdigest()[:8]
_STEM = 40  # characters of the final name in a temporary one, whose length file systems limit


@contextmanager
def replace_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path in the folder of `path`, which is renamed to `path` if the block succeeds.

    The folder is created if it is missing, and removed again if the block fails. An existing file at `path` is
    replaced. The temporary file exists, empty, under an unpredictable name; temporary files left behind by killed
    processes are removed.

    Raises:
        UserError: `path` is a folder or a device, its folder is not writable, or the disk is full; no partial file is
            left.
    """
    path = Path(path)
    try:
        if path.exists() and not path.is_file():
            raise UserError(f"{path}: is not a regular file; give the name of a new file or of one to replace")
        # The suffix stays at the end: writers choose their format by it.
        with _name_in_folder(path, path.suffix) as temporary:
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))  # the umask applies
            with errors_name(path, temporary):
                yield temporary
            temporary.replace(path)
    except OSError as error:
        raise UserError(_cannot_write(path, error)) from error


@contextmanager
def new_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary folder beside `path`, which is renamed to `path` if the block succeeds.

    Temporary folders left behind by killed processes are removed.

    Raises:
        UserError: `path` exists and is not an empty folder, the disk is full or the parent is not writable; no partial
            folder is left.
    """
    path = Path(path)
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise UserError(f"{path}: exists already; give a new or empty folder")
    with _temporary_folder(path, path) as temporary:
        yield temporary
        if path.is_dir():
            path.rmdir()  # Windows does not rename onto a folder
        temporary.replace(path)


@contextmanager
def replace_files(folder: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary folder inside `folder`, and move its files into `folder` when the block ends well.

    Files of the same names are replaced, others stay. The folder is made if it is missing.

    Raises:
        UserError: the folder cannot be written or the disk is full; no file has changed then.
    """
    folder = Path(folder)
    with _temporary_folder(folder / "files", folder) as temporary:
        yield temporary
        for file in temporary.iterdir():
            file.replace(folder / file.name)


@contextmanager
def _temporary_folder(path: Path, named: Path) -> Iterator[Path]:
    """Yield a new folder beside `path`, removed at the end unless it was renamed; errors name `named`."""
    try:
        with _name_in_folder(path, "") as temporary:
            temporary.mkdir()
            with errors_name(named, temporary):
                yield temporary
    except OSError as error:
        raise UserError(_cannot_write(named, error)) from error


@contextmanager
def errors_name(path: str | os.PathLike[str], temporary: Path) -> Iterator[None]:
    """Let a `UserError` raised in the block name `path` instead of the temporary file or folder that stands for it."""
    try:
        yield
    except UserError as error:
        if str(temporary) not in str(error):
            raise
        raise type(error)(str(error).replace(str(temporary), str(path))) from error


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield a new folder where the system keeps temporary files, removed at the end.

    Raises:
        UserError: nothing can be written there, or its disk is full.
    """
    place = "TMPDIR"
    try:
        place = tempfile.gettempdir()
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            yield Path(folder)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(
            f"{place}: cannot be written ({reason}); free some space there, or name another temporary folder by TMPDIR"
        ) from error


def require_writable(folder: str | os.PathLike[str]) -> Path:
    """Raise UserError if a folder is not writable, or is missing and cannot be created; return its path.

    It is not created, so that a command which is refused later leaves no empty folder.
    """
    folder = Path(folder)
    try:
        with suppress(FileNotFoundError):
            folder.stat()  # an impossible name, or a file where a folder should be
        existing = next(path for path in (folder, *folder.absolute().parents) if os.path.lexists(path))
        with tempfile.TemporaryFile(dir=existing) as file:
            file.write(b"x")
    except OSError as error:
        raise UserError(_cannot_write(folder, error)) from error
    return folder


def require_space(folder: str | os.PathLike[str], needed: int) -> None:
    """Raise UserError if the disk of `folder`, which may not exist yet, has less than `needed` bytes free."""
    folder = Path(folder).absolute()
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise UserError(
            f"{folder}: needs {_size(needed)}, and the disk has {_size(free)} free; free some space or choose another"
        )


def relative_path(path: str | os.PathLike[str], folder: str | os.PathLike[str]) -> str:
    """The path as seen from a folder, with `/`; the absolute one between drives of Windows."""
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:
        return Path(path).absolute().as_posix()


def is_inside(name: str) -> bool:
    """Whether a relative name, with `/` between its parts, stays inside its folder on every operating system."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return (
        bool(parts) and parts[0] != "/" and not any(part == ".." or ":" in part for part in parts) and "\0" not in name
    )


def is_unicode(name: str) -> bool:
    """Whether a name can be written as UTF-8; Python gives bytes of a file name that are not as lone surrogates."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def require_unicode(words: Iterable[str]) -> None:
    """Raise UserError for a word of a command line that is not UTF-8, and could not be written into results."""
    encoding = sys.getfilesystemencoding()
    advice = "rename the file or folder" if encoding == "utf-8" else f"Python reads it as {encoding}: set PYTHONUTF8=1"
    for word in words:
        if not is_unicode(word):
            raise UserError(f"{word}: is not UTF-8; {advice}")


@contextmanager
def _name_in_folder(path: Path, suffix: str) -> Iterator[Path]:
    """Yield an unused temporary name beside `path`; what is there at the end is removed.

    The folder is created if it is missing, and if the block fails, what was created is removed as far as it is empty.
    """
    created = [folder for folder in path.parents if not folder.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        temporary = _temporary_name(path, suffix)
        try:
            yield temporary
        finally:
            _remove(temporary)
    except BaseException:
        with suppress(OSError):
            for folder in created:
                folder.rmdir()
        raise


def _temporary_name(path: Path, suffix: str) -> Path:
    """A new unpredictable name beside `path`, with the writing process in it, so that left-overs can be recognised."""
    stem = path.name.removesuffix(suffix)[:_STEM]
    _remove_left_overs(path.parent, stem, suffix)
    return path.with_name(f".{stem}.{_HOST}-{os.getpid()}-{secrets.token_hex(8)}.part{suffix}")


def _remove_left_overs(folder: Path, stem: str, suffix: str) -> None:
    """Remove temporary files and folders of this name left behind by processes of this machine that have ended."""
    pattern = re.compile(rf"\.{re.escape(stem)}\.{_HOST}-(\d+)-[0-9a-f]{{16}}\.part{re.escape(suffix)}")
    for name in _names_in(folder):
        match = pattern.fullmatch(name)
        if match is None or psutil.pid_exists(int(match[1])):
            continue
        _remove(folder / name)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _names_in(folder: Path) -> Iterable[str]:
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries if entry.name.startswith(".")]


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"


def _cannot_write(path: Path, error: OSError) -> str:
    reason = error.strerror or str(error)
    return f"{path}: cannot be written ({reason}); choose a folder that you may write and that has free space"
