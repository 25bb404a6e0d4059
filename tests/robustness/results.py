"""Results of the campaign's parts in files, so that a long run can be continued."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

from .part import Part, Tally


def write_tally(folder: Path, part: Part, profile: str, seed: int, tally: Tally) -> None:
    """Keep what became of the cases of a part."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"kinds": tally.kinds, "failed": tally.failed}, indent=1)
    _file(folder, part, profile, seed).write_text(text, encoding="utf-8")


def read_tally(folder: Path, part: Part, profile: str, seed: int) -> Tally | None:
    """What `write_tally` kept; None if the part was not run."""
    file = _file(folder, part, profile, seed)
    if not file.is_file():
        return None
    content = json.loads(file.read_text(encoding="utf-8"))
    return Tally(Counter(content["kinds"]), content["failed"])


def _file(folder: Path, part: Part, profile: str, seed: int) -> Path:
    name = re.sub(r"\W+", "-", str(part)).strip("-")
    return folder / f"{name}-{profile}-{seed}.json"
