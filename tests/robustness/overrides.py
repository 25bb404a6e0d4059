"""Overrides of settings: each declared one of a wrong type, out of range or misspelt, and any id misspelt."""

from __future__ import annotations

import functools
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from hypothesis import strategies as st
from monai.bundle import ConfigParser

from custom.settings import RUNS, Setting, settings_of

from .calls import CALLS
from .judge import require_nothing_in, require_refusal
from .part import Part
from .warm import CONFIGS, FILES

WRONG = {
    bool: ("3", "maybe"),
    int: ("1.5", "true", "[1, 2]", "x"),
    float: ("x", "nan", "{'a': 1}"),
    list: ("{'a': 1}",),
}
HANDED_ON = ("progress_bar", "displayable_configs")  # take anything


@dataclass(frozen=True)
class Override:
    """A setting that must be refused; `word` None: without a value."""

    run: str
    id: str
    word: str | None
    kind: str

    def __str__(self) -> str:
        return f"{self.run}, {self.id}: {self.kind}"


def wrong_words(setting: Setting) -> Iterator[tuple[str, str]]:
    """Kinds and words that are not of the declared type, or outside of the declared range."""
    annotation, limits = setting.field.annotation, list(setting.field.metadata)
    kinds = [kind for kind in _members(annotation) if kind is not types.NoneType]
    for kind in kinds:
        if typing.get_origin(kind) is Literal:
            yield "no such choice", "banana"
    plain = [typing.get_origin(kind) or kind for kind in kinds]
    if str not in plain:
        for word in WRONG.get(plain[0], ()):
            yield "wrong type", word
    if types.NoneType not in _members(annotation) and bool not in plain:
        yield "none", "none"
    for limit in limits:
        for name, by in (("ge", -1), ("gt", 0), ("le", 1), ("lt", 0)):
            if hasattr(limit, name):
                yield "out of range", str(getattr(limit, name) + by)


def _members(annotation: Any) -> list[Any]:
    """The types of a union, without their limits."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (types.UnionType, typing.Union):
        return [member for argument in arguments for member in _members(argument)]
    return _members(arguments[0]) if origin is Annotated else [annotation]


@functools.cache
def merged(run: str) -> ConfigParser:
    """The configuration of a run."""
    return ConfigParser(ConfigParser.load_config_files([str(CONFIGS / file) for file in FILES[run]]))


def declared(run: str) -> list[Override]:
    """What must be refused of the settings of a run."""
    found = []
    for id, setting in settings_of(run).items():
        if not setting.applies(merged(run)):
            continue
        found += [Override(run, id, word, kind) for kind, word in wrong_words(setting)]
        if not setting.is_flag:
            found.append(Override(run, id, None, "without a value"))
        if not id.startswith(HANDED_ON):
            found.append(Override(run, _misspelt(id), "1", "misspelt"))
    return found


def undeclared(run: str) -> list[Override]:
    """Ids at any depth of the configuration, misspelt."""
    ids = [id for id in _ids(merged(run).get()) if not id.startswith(HANDED_ON) and id not in settings_of(run)]
    return [Override(run, _misspelt(id), "1", "misspelt, undeclared") for id in ids]


def _ids(node: Any, above: str = "") -> Iterator[str]:
    for key, value in node.items() if isinstance(node, dict) else ():
        if not key.startswith(("_", "+")):
            yield f"{above}{key}"
            yield from _ids(value, f"{above}{key}#")


def _misspelt(id: str) -> str:
    return f"{id[:-1]}_{id[-1]}"


def check(override: Override, folder: Path) -> None:
    """The override is refused by its name before anything is written."""
    output = folder / "out"
    ending = CALLS[override.run].run(output, **{override.id: True if override.word is None else override.word})
    require_refusal(ending, override.id)
    require_nothing_in(output)


PARTS = [Part(run, "overrides", st.sampled_from([*declared(run), *undeclared(run)]), check, quick=12) for run in RUNS]
