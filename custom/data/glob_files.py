"""Files that a glob pattern matches, where links may lead in a circle."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

ANY_FOLDERS = "**"


def glob_files(pattern: Path) -> list[Path]:
    """Files of a glob pattern, sorted, links to nothing included; hidden ones are left out.

    `**` stands for a folder and all folders below it, by links, too. Each is searched once, whatever links lead to it.
    """
    found = dict.fromkeys(_expand(Path(), pattern.parts))
    return sorted(path for path in found if not path.is_dir() and not path.name.startswith("."))


def folders_below(folder: Path) -> list[Path]:
    """A folder and all below it, by links, too, but for hidden ones; each once, under its shortest path."""
    found: dict[Path, Path] = {}
    level = [folder]
    while level:
        new: list[Path] = []
        for path in level:
            real = path.resolve()
            if real not in found:
                found[real] = path
                with suppress(OSError):  # a folder that may not be read
                    new += folders_in(path)
        level = new
    return list(found.values())


def folders_in(folder: Path) -> list[Path]:
    """Folders in a folder, sorted, links last; hidden ones are left out."""
    inside = [path for path in folder.iterdir() if not path.name.startswith(".") and path.is_dir()]
    return sorted(inside, key=lambda path: (path.is_symlink(), path))


def _expand(base: Path, parts: tuple[str, ...]) -> Iterator[Path]:
    """Paths that the parts of a pattern match below `base`."""
    if ANY_FOLDERS not in parts:
        yield from _glob(base, parts)
        return
    at = parts.index(ANY_FOLDERS)
    rest = parts[at + 1 :] or ("*",)
    for start in _glob(base, parts[:at]):
        for folder in folders_below(start) if start.is_dir() else []:
            yield from _expand(folder, rest)


def _glob(base: Path, parts: Iterable[str]) -> Iterator[Path]:
    pattern = Path(glob.escape(str(base)), *parts)
    return map(Path, glob.iglob(str(pattern)))  # noqa: PTH207 (takes absolute patterns)
