"""The journal of finished blocks: a text file with one line per block, valid even if the process is killed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from custom.errors import UserError
from custom.files import replace_file

from .blocks import Block


class Journal:
    """First line: what the job is. Then one line `[z, row, column]` for each finished block.

    A kill loses nothing that is noted. A power failure may lose chunks that are noted: neither they nor the journal are
    synced to the disk; syncing the journal alone would only make it list more of those.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def start(self, job: Mapping[str, Any]) -> None:
        """Begin a new journal."""
        with replace_file(self.path) as temporary:
            temporary.write_text(json.dumps(job), encoding="utf-8")

    def finished(self, job: Mapping[str, Any]) -> set[Block]:
        """The blocks that are done.

        Raises:
            UserError: the journal belongs to another job; the message names the differences.
        """
        header, *lines = self.path.read_text(encoding="utf-8").split("\n")
        known, own = json.loads(header), json.loads(json.dumps(job))
        for name in own:
            if known.get(name) != own[name]:
                raise UserError(
                    f"--resume: {self.path.parent} was started with {_difference(name, known.get(name), own[name])}; "
                    "give the same, or remove that folder to start again"
                )
        # The last line may be incomplete after a kill; the next entry starts a new line.
        return {Block(*json.loads(line)) for line in lines if line.endswith("]")}

    def add(self, block: Block) -> None:
        """Note a block whose chunks are written."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write("\n" + json.dumps([block.z, block.row, block.column]))


def _difference(name: str, before: Any, now: Any) -> str:
    """What differs in a message; a model, which is the whole text of its `model.json`, by the parts that do."""
    if name != "model" or before is None:
        return f"{name} {before}, not {now}"
    one, other = json.loads(before), json.loads(now)
    parts = sorted(part for part in one.keys() | other.keys() if one.get(part) != other.get(part))
    return f"another model or other settings of it ({', '.join(parts)})"
