"""Options of every command: each of a wrong type, no such choice, a path to nothing, or misspelt."""

from __future__ import annotations

import argparse
import contextlib
import functools
import importlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from hypothesis import strategies as st

from scripts import command

from .calls import CALLS
from .judge import require_nothing_in, require_refusal
from .part import Part
from .warm import FILES

INPUTS = ("model", "source", "images", "masks", "pred", "label", "dataset", "dataset_dir", "run", "segmentations")


@dataclass(frozen=True)
class Option:
    """An option that must be refused."""

    call: str
    name: str
    word: str
    kind: str

    def __str__(self) -> str:
        return f"{self.call}, --{self.name}: {self.kind}"


@functools.cache
def actions(module: str) -> tuple[argparse.Action, ...]:
    """The options of a command, sub-commands included."""
    made: list[argparse.ArgumentParser] = []
    original = argparse.ArgumentParser.__init__

    def record(self: argparse.ArgumentParser, *args: object, **kwargs: object) -> None:
        original(self, *args, **kwargs)  # type: ignore[arg-type]
        made.append(self)

    with mock.patch.object(command.Parser, "__init__", record), contextlib.redirect_stderr(io.StringIO()):
        importlib.import_module(f"scripts.{module}.__main__").main(["--no_such_option"])
    return tuple(action for parser in made for action in parser._actions if action.option_strings)


def wrong(name: str) -> Iterator[Option]:
    """Options of a call that must be refused."""
    used = {"output", CALLS[name].output}
    for action in actions(CALLS[name].command):
        option = action.option_strings[-1].removeprefix("--")
        if option == "help" or option in used:
            continue
        if action.choices is not None:
            yield Option(name, option, "banana", "no such choice")
        elif action.type in (int, float):
            yield Option(name, option, "x", "wrong type")
            yield Option(name, option, "1,5", "wrong type")
        elif option in INPUTS and option in CALLS[name].options():
            yield Option(name, option, "no/where", "a path to nothing")
        yield Option(name, f"{option[:-1]}_{option[-1]}", "1", "misspelt")


def check(option: Option, folder: Path) -> None:
    """The option is refused by its name or value, and nothing is written."""
    output = folder / f"out{CALLS[option.call].suffix}"
    ending = CALLS[option.call].run(output, **{option.name: option.word})
    require_refusal(ending, option.name, option.word)
    require_nothing_in(folder)


CASES = [option for name, call in CALLS.items() if call.command not in FILES for option in wrong(name)]
PARTS = [Part("all scripts", "options", st.sampled_from(CASES), check, quick=25)]
