"""What `python -m monai.bundle run` lacks: misspelt overrides are refused, and bad input is told in one line."""

from __future__ import annotations

import difflib
import inspect
import sys
from types import TracebackType

from monai.bundle import ConfigParser
from monai.bundle import run as bundle_run

from .errors import UserError


def one_line_errors() -> None:
    """Let an uncaught `UserError` end the program with its message alone, wherever MONAI wrapped it."""
    sys.excepthook = _report


def _report(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, UserError):
        cause = cause.__cause__ or cause.__context__
    if cause is None:
        sys.__excepthook__(kind, error, traceback)
    else:
        print(f"error: {cause}", file=sys.stderr)


def check_overrides(argv: list[str] | None = None) -> None:
    """Refuse command-line overrides of ids that no config file has; MONAI accepts them in silence.

    Args:
        argv: arguments of `python -m monai.bundle run`; by default those of this process, and nothing is checked if
            the process is another program.

    Raises:
        UserError: the first unknown name, with the names closest to it.
    """
    if argv is None:
        if not sys.argv[0].replace("\\", "/").endswith("monai/bundle/__main__.py"):
            return
        argv = sys.argv[1:]
    given = _options(argv)
    if "args_file" in given:
        given = {**ConfigParser.load_config_file(given["args_file"]), **given}
    files = str(given.get("config_file", "")).strip("[]()").replace("'", "").replace('"', "")
    config = ConfigParser.load_config_files([file.strip() for file in files.split(",") if file.strip()])
    known = set(config) | set(inspect.signature(bundle_run).parameters) - {"override"}
    for name in given:
        top = name.replace("::", "#").split("#")[0]
        if top not in known:
            close = difflib.get_close_matches(top, known, n=3, cutoff=0.5)
            advice = (
                f"did you mean --{', --'.join(close)}?" if close else "the ids of the config files can be overridden"
            )
            raise UserError(f"--{name} overrides nothing: the config has no id {top!r}; {advice}")


def _options(argv: list[str]) -> dict[str, str]:
    """`--name value` and `--name=value` pairs; Python Fire takes `-` for `_` in names."""
    options = {}
    for position, argument in enumerate(argv):
        if not argument.startswith("--"):
            continue
        name, equals, value = argument[2:].partition("=")
        if not equals and position + 1 < len(argv):
            value = argv[position + 1]
        options[name.replace("-", "_")] = value
    return options
