"""What a value means that comes from a file, a command line or Python, and how it is printed."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from typing import Any

WORDS = {"true": True, "false": False, "none": None, "null": None}


def meant(value: Any) -> Any:
    """`true`, `false`, `none` and `null` in any case are what they say; other values come back as they are."""
    return WORDS.get(value.strip().lower(), value) if isinstance(value, str) else value


def is_plain(value: Any) -> bool:
    """Whether a value stands for itself: no reference, expression or macro, which have values only later."""
    return not (isinstance(value, str) and value[:1] in ("@", "$", "%"))


def shown(value: Any) -> str:
    """A value as a user writes it, shortened."""
    text = repr(value) if isinstance(value, str) else str(value)
    text = text.lower() if value is None or isinstance(value, bool) else text
    return text if len(text) <= 60 else f"{text[:57]}..."


def readings(value: Any, typed: str | None) -> Iterator[Any]:
    """What a value may mean, the likeliest first."""
    value = os.fspath(value) if isinstance(value, os.PathLike) else value
    value = list(value) if isinstance(value, tuple) else meant(value)
    yield value
    if value is None or isinstance(value, (bool, list, dict)):
        return
    if isinstance(value, str) and (number := _number(value)) is not None:
        yield number
    if isinstance(value, float) and value.is_integer():
        yield int(value)
    yield typed or str(value)
    yield [value]


def _number(text: str) -> Any:
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError):
        return None
