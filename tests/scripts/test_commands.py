"""Common to all commands: help, errors in one line, names of options."""

from __future__ import annotations

import argparse
import importlib
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from scripts import command

FOLDER = Path(__file__).parents[2] / "scripts"
# `run` takes what MONAI takes.
COMMANDS = sorted({file.parent.name for file in FOLDER.glob("*/__main__.py")} - {"run"})


def load(name: str) -> ModuleType:
    return importlib.import_module(f"scripts.{name}.__main__")


@pytest.fixture
def parsers(monkeypatch) -> list[command.Parser]:
    """The parsers that a command makes, sub-commands included."""
    made: list[command.Parser] = []
    original = argparse.ArgumentParser.__init__

    def record(self, *args, **kwargs):
        original(self, *args, **kwargs)
        made.append(self)

    monkeypatch.setattr(command.Parser, "__init__", record)
    return made


@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_the_docstring(name, capsys):
    module = load(name)
    with pytest.raises(SystemExit) as ended:
        module.main(["--help"])
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"usage: python -m scripts.{name} ")
    assert module.__doc__.strip() in printed
    assert re.search(rf"^ *python -m scripts\.{name} ", printed, re.MULTILINE)  # an example


@pytest.mark.parametrize("name", COMMANDS)
def test_an_unknown_option_is_refused_in_one_line(name, capsys):
    assert load(name).main(["--no_such_option", "3"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("error: ")


@pytest.mark.parametrize("name", [*COMMANDS, "run"])
def test_errors_and_interruptions_of_every_command_end_in_one_line(name):
    """What `command.entry_point` does is tested in `test_command.py`."""
    wrapped = load(name).main
    assert wrapped.__code__ is command.entry_point("")(lambda: 0).__code__


@pytest.mark.parametrize("name", COMMANDS)
def test_options_have_underscores_and_help(name, parsers, capsys):
    load(name).main(["--no_such_option", "3"])
    actions = [action for parser in parsers for action in parser._actions]
    assert parsers
    for action in actions:
        for option in action.option_strings:
            assert re.fullmatch(r"-h|--[a-z0-9_]+", option), option
        assert action.help or action.choices, action
    assert "--out" not in {option for action in actions for option in action.option_strings}


@pytest.mark.parametrize("name", ["score", "settings"])
def test_the_help_of_a_light_command_does_not_wait_for_pytorch_and_monai(name):
    code = f"import sys, scripts.{name}.__main__; print(sorted({{'torch', 'monai'}} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_data_set_may_be_called_as_in_the_configurations(name, capsys, parsers):
    with pytest.raises(SystemExit):
        load(name).main(["--help"])
    options = set(parsers[0]._option_string_actions)
    assert options.isdisjoint(command.DATASET) or options.issuperset(command.DATASET)
