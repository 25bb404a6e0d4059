"""What `python -m monai.bundle run` lacks: errors in one line, exit codes, and what the user typed."""

from __future__ import annotations

import inspect
import re
import signal
import sys
import threading
import typing
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, NoReturn

import torch
from monai.bundle import ConfigParser, ConfigWorkflow
from monai.bundle import run as bundle_run

from .errors import SomeFailedError, UserError

GO_ON = "a training goes on with --resume true"


class Terminated(KeyboardInterrupt):
    """SIGTERM: like Ctrl-C, it passes every `except Exception` and runs every `finally`."""


def one_line_errors() -> None:
    """Let an uncaught `UserError`, wherever MONAI wrapped it, and an interruption end the program in one line.

    See `ending`. Other exceptions are bugs and keep their traceback.
    """
    sys.excepthook = _report
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminate)


def ending(error: BaseException, advice: str) -> tuple[str, int] | None:
    """The line and the exit code that a program ends with, wherever a library wrapped the error; None for a bug.

    ============================  =====================  =========
    error                         line                   exit code
    ============================  =====================  =========
    `SomeFailedError`             `error: ...`, a list   1
    `UserError`                   `error: ...`           2
    `OSError`, out of memory      `error: ...`           2
    Ctrl-C                        `interrupted; ADVICE`  130
    `Terminated`, from SIGTERM    `terminated; ADVICE`   143
    ============================  =====================  =========

    Args:
        error: that nothing caught.
        advice: what is left behind and how to go on.
    """
    if isinstance(error, Terminated):
        return f"terminated; {advice}", 143
    if isinstance(error, KeyboardInterrupt):
        return f"interrupted; {advice}", 130
    cause = user_error(error)
    if cause is not None:
        message = str(cause)
        if "Original Traceback" in message:  # a worker of a data loader hands it on as text
            message = message.rpartition(f"{type(cause).__name__}: ")[2].rstrip()
        if not isinstance(cause, SomeFailedError):
            message = " ".join(message.splitlines())
        return f"error: {message}", cause.exit_code
    while error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error):
        return "error: out of memory; close other programs, or give smaller images", UserError.exit_code
    if isinstance(error, OSError):
        name = f"{error.filename}: " if error.filename is not None else ""
        return f"error: {name}{error.strerror or error}", UserError.exit_code
    return None


def user_error(error: BaseException) -> UserError | None:
    """The `UserError` that an exception is or was raised from."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, UserError):
        cause = cause.__cause__ or cause.__context__
    return cause


def _report(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    # An interrupted training knows whether there is a checkpoint, and says so in its KeyboardInterrupt.
    end = ending(error, str(error) or GO_ON)
    if end is None:
        sys.__excepthook__(kind, error, traceback)
        return
    line, code = end
    sys.stdout.flush()
    print(line, file=sys.stderr, flush=True)
    # Python takes an exit code from a SystemExit that this hook raises; a hook that returns always ends with 1.
    raise SystemExit(code)


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one would interrupt the clean-up
    raise Terminated


@dataclass(frozen=True)
class BundleCall:
    """How the running workflow was started.

    Attributes:
        is_command: by `python -m monai.bundle`, so that the process is the bundle's.
        config_root: folder of the first configuration file.
        run_ids: ids of the lists to run that were asked for.
        dropped: ids whose override was None, which MONAI drops.
        typed: overrides on the command line, id to word; None where the word is missing.
        stray: words on the command line that belong to no option.
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

        The arguments of `monai.bundle.run` are read from its frame, because MONAI hands neither them nor itself to an
        expression, and drops overrides that are None, from the command line and from Python alike.
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
        """Raise `UserError` for words that belong to no option, and for a run that the configuration has not."""
        if self.stray:
            raise UserError(f"{self.stray[0]!r} belongs to no option; put a value with spaces into quotation marks")
        for id in self.run_ids - {"initialize", "finalize"}:
            if id not in parser:
                known = ", ".join(key for key in ("training", "evaluating", "inferring") if key in parser)
                raise UserError(f"unknown run {id!r}; these configuration files have {known}")

    def check_given(self, id: str, hint: Any) -> None:
        """Raise `UserError` if the option has no value, which Fire takes for true, and its parameter is no flag."""
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
