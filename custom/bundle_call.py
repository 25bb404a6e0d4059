"""How the running workflow was started by `monai.bundle`, and what the user typed."""

from __future__ import annotations

import inspect
import re
import sys
import typing
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser, ConfigWorkflow
from monai.bundle import run as bundle_run

from .errors import UserError
from .files import require_unicode


@dataclass(frozen=True)
class BundleCall:
    """How the running workflow was started.

    Attributes:
        is_command: whether by `python -m monai.bundle`, in a process of its own.
        config_root: folder of the first configuration file.
        run_ids: requested ids of lists to run.
        dropped: ids whose override was None, which MONAI drops.
        typed: overrides on the command line, id to word; None where the word is missing.
        stray: words on the command line that do not belong to an option.
    """

    is_command: bool = False
    config_root: Path | None = None
    run_ids: frozenset[str] = frozenset()
    dropped: tuple[str, ...] = ()
    typed: dict[str, str | None] = field(default_factory=dict)
    stray: tuple[str, ...] = ()

    @classmethod
    def find(cls) -> BundleCall:
        """The call whose frames are above this one; an empty one, if a configuration is used from elsewhere.

        The arguments of `monai.bundle.run` are read from its frame: expressions have no access to them, and MONAI drops
        overrides that are None, whether from the command line or from Python.
        """
        config_root: Path | None = None
        run_ids: set[str] = set()
        override: dict[str, Any] = {}
        frame = inspect.currentframe()
        while frame is not None:
            caller = frame.f_locals.get("self")
            if isinstance(caller, ConfigWorkflow):
                config_root = Path(caller.config_root_path)
                run_ids |= {str(caller.run_id), str(caller.init_id), str(caller.final_id)}
            if frame.f_code is bundle_run.__code__:
                override = frame.f_locals["override"]
            frame = frame.f_back
        is_command = sys.argv[0].replace("\\", "/").endswith("monai/bundle/__main__.py")
        typed, others = split_words(sys.argv[1:]) if is_command else ({}, ())
        stray = others[1 if "run_id" in typed else 2 :]  # `run training`
        dropped = tuple(id for id, value in override.items() if value is None)
        return cls(is_command, config_root, frozenset(run_ids), dropped, typed, stray)

    def check_words(self, parser: ConfigParser) -> None:
        """Raise `UserError` for words that do not belong to an option or are not UTF-8, and for an unknown run id."""
        require_unicode(word for word in self.typed.values() if word)
        if self.stray:
            raise UserError(f"{self.stray[0]!r} does not belong to an option; quote values that contain spaces")
        for id in self.run_ids - {"initialize", "finalize"}:
            if id not in parser:
                known = ", ".join(key for key in ("training", "evaluating", "inferring") if key in parser)
                raise UserError(f"unknown run {id!r}; these configuration files have {known}")

    def check_given(self, id: str, hint: Any) -> None:
        """Raise `UserError` if an option that is not a flag has no value, which Fire would read as true."""
        if id in self.typed and self.typed[id] is None and hint is not bool and bool not in typing.get_args(hint):
            raise UserError(f"--{id} has no value; write --{id} VALUE")


def split_words(argv: Sequence[str]) -> tuple[dict[str, str | None], tuple[str, ...]]:
    """Options and other words of a command line, by the rules of Python Fire."""
    typed: dict[str, str | None] = {}
    stray: list[str] = []
    words = iter(argv)
    following = next(words, None)
    while following is not None:
        word, following = following, next(words, None)
        if not _is_option(word):
            stray.append(word)
            continue
        name, equals, value = word.lstrip("-").partition("=")
        given: str | None = value if equals else None
        if not equals and following is not None and not _is_option(following):
            given, following = following, next(words, None)
        typed[name.replace("-", "_").replace("::", "#")] = given
    return typed, tuple(stray)


def _is_option(word: str) -> bool:
    return re.match(r"--|-[A-Za-z]", word) is not None
