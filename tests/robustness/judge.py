"""The property of every case."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from .warm import Ending

# Left by a process that is killed, and removed by the next; never by one that ends by itself.
_PART = re.compile(r"\.part(\.\w+)?$|\.partial$|\.tmp$")


def require_refusal(ending: Ending, *names: object) -> None:
    """One line with exit code 2 that has one of the names in it; after exit code 1 a list of files follows."""
    lines = ending.err.splitlines()
    assert ending.code in (1, 2), str(ending)
    assert lines, f"no word about it\n{ending}"
    assert lines[0].startswith("error: "), str(ending)
    assert "Traceback" not in ending.err, str(ending)
    assert ".part" not in ending.err.replace(".part: is left", ""), f"names a temporary file\n{ending}"
    if ending.code == 2:
        assert len(lines) == 1, f"more than one line\n{ending}"
        assert any(_flat(name) in lines[0] for name in names), f"names none of {list(map(str, names))}\n{ending}"
    else:
        assert all(line.startswith("  ") for line in lines[1:]), str(ending)


def require_nothing_in(folder: Path, allowed: Iterable[str] = (".lock",)) -> None:
    """No file and no empty folder below a folder, which may not exist, but those of allowed names."""
    left = [
        str(path)
        for path in folder.rglob("*")
        if path.name not in allowed and not (path.is_dir() and any(path.iterdir()))
    ]
    assert not left, f"left behind: {left}"


def require_no_parts(folder: Path) -> None:
    """No temporary files or folders."""
    left = [str(file) for file in folder.rglob("*") if _PART.search(file.name)]
    assert not left, f"left behind: {left}"


def _flat(name: object) -> str:
    return " ".join(str(name).splitlines())
