"""The configuration that a command line of `monai.bundle run` describes, read as MONAI reads it."""

from __future__ import annotations

import difflib
import inspect
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml
from fire.parser import DefaultParseValue
from monai.bundle import ConfigParser, ReferenceResolver
from monai.bundle import run as bundle_run
from monai.bundle.utils import merge_kv

from custom.bundle_call import split_words
from custom.errors import UserError

OWN = frozenset(inspect.signature(bundle_run).parameters) - {"override"}


def merged(words: Sequence[str]) -> ConfigParser:
    """Configuration files, arguments file and overrides of a command line, merged.

    Args:
        words: the arguments of `python -m monai.bundle run`.

    Raises:
        UserError: a missing or invalid file, an override of an unknown id, or an unknown run.
    """
    given = _given(words)
    parser = ConfigParser(config={})
    for file in _files(given.get("config_file")):
        for id, value in _read(file, "--config_file").items():
            _set(parser, id, value, str(file))
    for id, value in given.items():
        if id not in OWN:
            _set(parser, id, value, f"--{id}")
    run_id = str(given.get("run_id", "run"))
    if run_id not in parser:
        known = [id for id in ("training", "evaluating", "inferring") if id in parser]
        raise UserError(f"unknown run {run_id!r}; these configuration files have {', '.join(known) or 'none'}")
    try:
        parser.parse()
    except (OSError, KeyError, ValueError) as error:
        raise UserError(f"a value that begins with % names a file or an id that cannot be read: {error}") from error
    return parser


def config_files(words: Sequence[str]) -> list[Path]:
    """The configuration files that a command line names. Raises UserError as `merged`."""
    return _files(_given(words).get("config_file"))


def _given(words: Sequence[str]) -> dict[str, Any]:
    """Arguments of a command line and of its arguments file."""
    typed, others = split_words(words)
    given = {name: True if word is None else DefaultParseValue(word) for name, word in typed.items()}
    if others:
        given["run_id"] = others[0]
    if "args_file" in given:
        given = {**_read(Path(str(given["args_file"])), "--args_file"), **given}
    return given


def _files(given: Any) -> list[Path]:
    """The files of `--config_file`: one, a list, or names with commas between."""
    if not given or given is True:
        raise UserError("--config_file is missing; give the path of a configuration, such as bundle/configs/train.json")
    if isinstance(given, str) and not Path(given).is_file():
        given = given.split(",")
    return [Path(str(file).strip()) for file in ([given] if isinstance(given, str) else given)]


def _read(file: Path, option: str) -> dict[str, Any]:
    if not file.is_file():
        near = [str(other) for other in file.parent.glob("*.json")] if file.parent.is_dir() else []
        raise UserError(f"{option}: {file} does not exist{_advice(str(file), near)}")
    try:
        content = ConfigParser.load_config_file(file)
    except json.JSONDecodeError as error:
        raise UserError(f"{file}: not JSON ({error.msg} in line {error.lineno}); fix that line") from error
    except (yaml.YAMLError, RecursionError, OSError, ValueError) as error:
        raise UserError(f"{file}: not a configuration file in JSON or YAML ({' '.join(str(error).split())})") from error
    if not isinstance(content, dict):
        raise UserError(f"{file}: has a {type(content).__name__}; a configuration is an object with ids")
    return content


def _set(parser: ConfigParser, id: str, value: Any, source: str) -> None:
    try:
        merge_kv(parser, id, value)
    except (KeyError, IndexError, ValueError) as error:
        parent = ReferenceResolver.split_id(id.removeprefix("+"), last=True)[0]
        while parent not in parser and ReferenceResolver.sep in parent:
            parent = ReferenceResolver.split_id(parent, last=True)[0]
        whole = parser.get(parent)
        known = ["#".join([parent.replace("::", "#"), str(key)]) for key in whole] if isinstance(whole, dict) else []
        where = f"{source} sets {id}" if source != f"--{id}" else source
        raise UserError(f"{where}: there is no such part to change{_advice(id, [*parser.get(), *known])}") from error


def _advice(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f"; did you mean {', '.join(close)}?" if close else ""
