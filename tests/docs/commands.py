"""The command lines that the documents and `make demo` show."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

from ..bundle.conftest import ROOT

DOCUMENTS = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/*.md", "bundle/docs/*.md")
START = re.compile(r"\bpython[\d.]* -m (monai\.bundle|torch\.distributed\.run|scripts\.)")


def documented() -> list[tuple[str, str]]:
    """Document and command line of each command in code blocks and in text."""
    files = sorted(file for pattern in DOCUMENTS for file in ROOT.glob(pattern))
    shown = [(file.relative_to(ROOT).as_posix(), line) for file in files for line in _lines(file)]
    return [*dict.fromkeys(shown), *(("Makefile", line) for line in _demo())]


def words(line: str) -> list[str]:
    """What follows `python -m`; comments and redirections are left out."""
    shown = line[START.search(line).start() :].replace("/NAME.json", "/quick.json")
    return shlex.split(re.sub(r"\s(#|>)\s.*", "", shown))[2:]


def bundle_words(line: str) -> list[str] | None:
    """What follows `monai.bundle run`, also under torchrun, or `scripts.run`; None for another command."""
    parts = words(line)
    if parts[0] == "scripts.run":
        return parts[1:]
    for index in range(len(parts) - 1):
        if parts[index : index + 2] == ["monai.bundle", "run"]:
            return parts[index + 2 :]
    return None


def _lines(file: Path) -> list[str]:
    text = file.read_text(encoding="utf-8")
    blocks = re.findall(r"^```.*?\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    inline = re.findall(r"`([^`]+)`", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))
    found = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    found += [" ".join(span.split()) for span in inline]
    return [" ".join(line.split()) for line in found if START.search(line)]


def _demo() -> list[str]:
    done = subprocess.run(["make", "-n", "demo"], cwd=ROOT, capture_output=True, text=True, check=True)
    found = [line.replace(".venv/bin/", "") for line in done.stdout.replace("\\\n", " ").splitlines()]
    return [" ".join(line.split()) for line in found if START.search(line)]
