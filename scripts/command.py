"""Shared by all commands: the style of their command lines, and exit codes."""

from __future__ import annotations

import argparse
import difflib
import functools
import os
import signal
import sys
import sysconfig
import warnings
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, ParamSpec

import psutil

from custom.errors import SomeFailedError, UserError
from custom.exits import Terminated, ending, print_any_name
from custom.files import require_unicode

SOME_FAILED = 1  # exit code: some of the inputs failed, the others succeeded
DATASET = ("--dataset", "--dataset_dir")  # either word; the configurations have the second one
PATIENCE = 5  # seconds for child processes to end when asked to

P = ParamSpec("P")


def python_of(environment: Path) -> Path:
    """The interpreter of a virtual environment, which need not exist: in `bin`, on Windows in `Scripts`."""
    return Path(sysconfig.get_path("scripts", "venv", {"base": str(environment.absolute())})) / "python"


class Parser(argparse.ArgumentParser):
    """A parser that raises `UserError` with one line, and suggests the option nearest to an unknown one."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; `{self.prog} --help` lists the options")

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse does, but an unknown option is named with those closest to it, and every word must be UTF-8."""
        require_unicode(sys.argv[1:] if args is None else args)
        options, unknown = self.parse_known_args(args, namespace)
        if unknown:
            close = difflib.get_close_matches(unknown[0].partition("=")[0], sorted(_option_names(self)), n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise UserError(f"{unknown[0]}: not an option of `{self.prog}`{hint or '; --help lists them'}")
        return options


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Keeps the lines of the description, and adds the default of each option that has one."""

    def _get_help_string(self, action: argparse.Action) -> str:
        text = action.help or ""
        if not action.option_strings or "(default" in text:
            return text
        missing = action.default is None or action.default is False or action.default == argparse.SUPPRESS
        return text if missing else f"{text} (default: %(default)s)"


def make_parser(name: str, doc: str | None, **more: Any) -> Parser:
    """The empty parser of a command.

    Args:
        name: of the module that `python -m` runs: `__package__` in a `__main__.py`.
        doc: the module's docstring, shown by `--help`.
        more: further arguments of `argparse.ArgumentParser`.
    """
    return Parser(prog=f"python -m {name}", description=doc, formatter_class=HelpFormatter, allow_abbrev=False, **more)


def entry_point(advice: str) -> Callable[[Callable[P, int]], Callable[P, int]]:
    """Decorate `main(argv) -> int`, so that errors of the user and interruptions end in one line and an exit code.

    The lines and codes are those of `custom.exits.ending`; 141 for a broken pipe. Warnings are one line, too. Child
    processes started by `main` are terminated if it is interrupted. Other exceptions are bugs and keep their traceback.

    Args:
        advice: for interruptions: what was saved, and how to continue.
    """

    def decorate(main: Callable[P, int]) -> Callable[P, int]:
        @functools.wraps(main)
        def run(*args: P.args, **kwargs: P.kwargs) -> int:
            _open_streams()
            print_any_name()
            try:
                with _plain_warnings(), _signals(), _children_ended():
                    code = main(*args, **kwargs)
                    sys.stdout.flush()
                    return code
            except (Exception, KeyboardInterrupt) as error:
                if isinstance(error, BrokenPipeError) and _stdout_is_closed():
                    return 141
                end = ending(error, advice)
                if end is None:
                    raise
                print(end[0], file=sys.stderr)
                return end[1]

        return run

    return decorate


def _option_names(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        yield from action.option_strings
        if isinstance(action, argparse._SubParsersAction):
            for sub_parser in action.choices.values():
                yield from _option_names(sub_parser)


def _open_streams() -> None:
    # A program may be started with closed streams: None in Python, and their numbers go to the next files opened.
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
    sys.stdout = sys.stdout or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 (for as long as the process lives)
    sys.stderr = sys.stderr or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115


@contextmanager
def _plain_warnings() -> Iterator[None]:
    """Within the block a `UserWarning` is one line, without the place in the code that Python adds."""
    usual = warnings.formatwarning

    def plain(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> str:
        return f"warning: {message}\n" if category is UserWarning else usual(message, category, *where, **more)

    warnings.formatwarning = plain
    try:
        yield
    finally:
        warnings.formatwarning = usual


@contextmanager
def _signals() -> Iterator[None]:
    """Within the block, Ctrl-C raises KeyboardInterrupt and SIGTERM raises Terminated."""

    def terminate(number: int, frame: FrameType | None) -> NoReturn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one would interrupt the clean-up
        raise Terminated

    try:
        before = {
            signal.SIGINT: signal.signal(signal.SIGINT, signal.default_int_handler),
            signal.SIGTERM: signal.signal(signal.SIGTERM, terminate),
        }
    except ValueError:  # not in the main thread, which handles the signals
        before = {}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _children_ended() -> Iterator[None]:
    """Terminate processes that the block started, if it is interrupted."""
    this = psutil.Process()
    before = set(this.children(recursive=True))
    try:
        yield
    except KeyboardInterrupt:
        end_processes(set(this.children(recursive=True)) - before, PATIENCE)
        raise


def require_success(failed: Sequence[str], count: int, what: str) -> None:
    """Raise `SomeFailedError`, for exit code 1, with the list of those that failed among `count`, if there are any."""
    if failed:
        lines = "\n  ".join(" ".join(line.splitlines()) for line in failed)
        raise SomeFailedError(f"{len(failed)} of {count} {what} failed; the same command tries again:\n  {lines}")


def end_processes(processes: Collection[psutil.Process], patience: float) -> None:
    """Ask processes to end, and kill those that have not after `patience` seconds; on every operating system."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _, alive = psutil.wait_procs(processes, timeout=patience)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def _stdout_is_closed() -> bool:
    """Whether writing to stdout fails; if so, nothing more is written to it, not even when Python exits."""
    try:
        print(flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return True
    return False
