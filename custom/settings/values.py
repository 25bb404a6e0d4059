"""Interpretation of values from files, command lines and Python, and how they are printed."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from typing import Any

WORDS = {"true": True, "false": False, "none": None, "null": None}


def meant(value: Any) -> Any:
    """Convert `true`, `false`, `none` and `null` in any case to Python; other values are returned unchanged."""
    return WORDS.get(value.strip().lower(), value) if isinstance(value, str) else value


def is_plain(value: Any) -> bool:
    """Whether a value is a literal: not a reference, expression or macro, which are evaluated later."""
    return not (isinstance(value, str) and value[:1] in ("@", "$", "%"))


def shown(value: Any) -> str:
    """A value as a user would write it, shortened."""
    text = repr(value) if isinstance(value, str) else str(value)
    text = text.lower() if value is None or isinstance(value, bool) else text
    return text if len(text) <= 60 else f"{text[:57]}..."


def readings(value: Any, typed: str | None) -> Iterator[Any]:
    """The possible readings of a value, the likeliest first."""
    value = os.fspath(value) if isinstance(value, os.PathLike) else value
    value = list(value) if isinstance(value, tuple) else meant(value)
    if isinstance(value, str) and typed and typed.partition("#")[0].strip() == value != typed:
        yield typed  # Fire takes the `#2` of `cells#2` for a comment
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
