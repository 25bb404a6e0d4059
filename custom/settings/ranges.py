"""The type and the range of a setting in words, from its annotation."""

from __future__ import annotations

import types
import typing
from typing import Annotated, Any, Literal

LIMITS = {
    "ge": "at least {}",
    "gt": "above {}",
    "le": "at most {}",
    "lt": "below {}",
    "min_length": "at least {} of them",
    "max_length": "at most {} of them",
}


def kind_of(annotation: Any) -> str:
    """A type in words, with the ranges of its parts."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (types.UnionType, typing.Union):
        return ", or ".join(kind_of(argument) for argument in arguments if argument is not types.NoneType)
    if origin is Annotated:
        limits = [limit for argument in arguments[1:] for limit in getattr(argument, "metadata", ())]
        return kind_of(arguments[0]) + range_of(limits)
    if origin is Literal:
        return f"one of {', '.join(map(str, arguments))}"
    if origin is list:
        return f"a list, each {kind_of(arguments[0])}"
    if origin is dict:
        return f"a table, each {kind_of(arguments[1])}"
    return {bool: "true or false", int: "an integer", float: "a number", str: "text"}[annotation]


def range_of(limits: typing.Iterable[Any]) -> str:
    """Limits as pydantic stores them, in words."""
    bounds = {name: getattr(limit, name) for limit in limits for name in LIMITS if hasattr(limit, name)}
    if bounds.get("min_length") == bounds.get("max_length", 0):
        del bounds["max_length"]
        count = f", {bounds.pop('min_length')} of them"
    else:
        count = ""
    words = [LIMITS[name].format(bound) for name, bound in bounds.items() if (name, bound) != ("min_length", 1)]
    return (f", {' and '.join(words)}" if words else "") + count
