"""The record of a training for its report: its command line and its settings."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..files import replace_file
from ..json_file import read_json

FILE_NAME = "report.json"


def command_line(arguments: Sequence[str]) -> str:
    """A line for a shell; lists such as ``"['mask','probability']"`` stay readable."""
    return " ".join(
        f'"{argument}"' if "'" in argument and not set(argument) & set('"$`\\!') else shlex.quote(argument)
        for argument in arguments
    )


def write_record(run: Path, record: dict[str, Any]) -> None:
    """Write the record of a run; values that JSON does not support become text."""
    with replace_file(run / FILE_NAME) as temporary:
        temporary.write_text(json.dumps(record, indent=2, default=str) + "\n", encoding="utf-8")


def read_record(run: Path) -> dict[str, Any]:
    """The record of a run: ``commands`` (list of text) and ``settings`` (name to value); empty if it has none."""
    try:
        record = read_json(run / FILE_NAME)
    except UserError:
        return {}
    return record if isinstance(record, dict) else {}
