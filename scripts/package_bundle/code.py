"""Which modules of `custom` a bundle needs, and their copy under the bundle's own name."""

from __future__ import annotations

import ast
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

PACKAGE = "custom"
BESIDE = (".j2", ".css", ".js", ".pyi")


def modules_in_use(root: Path, names: set[str]) -> list[Path]:
    """Files of the package that are reached from its `__init__.py` and from the dotted `names`, sorted.

    Imports are found by parsing, so that those inside functions count, too. All of them are relative.

    Args:
        root: folder of the package.
        names: dotted names below the package that configs use, such as `networks.ValidUNet`.
    """
    waiting = [root / "__init__.py", *(file for name in names for file in _files(root, name.split(".")))]
    found: set[Path] = set()
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            waiting += _imported(root, file)
    return sorted(found)


def copy_code(root: Path, names: set[str], target: Path) -> None:
    """Copy the modules in use to the folder `target`, with the templates, styles and scripts beside them."""
    modules = modules_in_use(root, names)
    beside = {other for file in modules for other in file.parent.iterdir() if other.suffix in BESIDE}
    for file in sorted({*modules, *beside}):
        copy = target / file.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)


def names_in(text: str) -> set[str]:
    """Dotted names below the package that appear in a config's text."""
    return set(re.findall(rf"\b{PACKAGE}\.([\w.]+)", text))


def _imported(root: Path, file: Path) -> Iterator[Path]:
    inside = list(file.relative_to(root).parent.parts)
    names = file.with_suffix(".pyi")  # of a package that imports on first use
    sources = [source.read_text(encoding="utf-8") for source in (file, names) if source.exists()]
    for node in (node for source in sources for node in ast.walk(ast.parse(source))):
        if isinstance(node, ast.ImportFrom) and node.level > 0:
            start = inside[: len(inside) - node.level + 1] + (node.module.split(".") if node.module else [])
            for alias in node.names:
                yield from _files(root, [*start, alias.name])


def _files(root: Path, parts: list[str]) -> Iterator[Path]:
    """The modules along a dotted name; its tail may be a class or a function."""
    for length in range(len(parts) + 1):
        path = root.joinpath(*parts[:length])
        for file in (path / "__init__.py", path.with_suffix(".py")):
            if file.is_file():
                yield file
