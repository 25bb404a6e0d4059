"""How a program ends: errors in one line, and exit codes."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import NoReturn

from .errors import SomeFailedError, UserError

GO_ON = "run the same command again"


class Terminated(KeyboardInterrupt):
    """SIGTERM: like Ctrl-C, it is not caught by `except Exception`, and `finally` blocks run."""


def one_line_errors() -> None:
    """Let an uncaught `UserError`, wherever MONAI wrapped it, and an interruption end the program in one line.

    See `ending`. Other exceptions are bugs and keep their traceback.
    """
    print_any_name()
    sys.excepthook = _report
    threading.excepthook = _report_thread
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminate)


def print_any_name() -> None:
    """Write characters that the terminal's encoding lacks, such as those of a file's name, as escapes."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def ending(error: BaseException, advice: str) -> tuple[str, int] | None:
    """The line and the exit code that a program ends with, wherever a library wrapped the error; None for a bug.

    ============================  =====================  =========
    error                         line                   exit code
    ============================  =====================  =========
    `SomeFailedError`             `error: ...`, a list   1
    `UserError`                   `error: ...`           2
    `OSError`, out of memory      `error: ...`           2
    a name that is not UTF-8      `error: ...`           2
    Ctrl-C                        `interrupted; ADVICE`  130
    `Terminated`, from SIGTERM    `terminated; ADVICE`   143
    ============================  =====================  =========

    Args:
        error: the uncaught exception.
        advice: for interruptions that do not say themselves what was saved, and how to continue.
    """
    if isinstance(error, Terminated):
        return f"terminated; {str(error) or advice}", 143
    if isinstance(error, KeyboardInterrupt):
        return f"interrupted; {str(error) or advice}", 130
    cause = user_error(error)
    if cause is not None:
        message = str(cause)
        if "Original Traceback" in message:  # workers of data loaders send their errors as text
            message = message.rpartition(f"{type(cause).__name__}: ")[2].rstrip()
        if not isinstance(cause, SomeFailedError):
            message = " ".join(message.splitlines())
        return f"error: {message}", cause.exit_code
    while error.__cause__ is not None:
        error = error.__cause__
    # By name, since importing PyTorch would slow down every command by a second.
    is_torchs = type(error).__name__ == "OutOfMemoryError" or "DefaultCPUAllocator" in str(error)
    if isinstance(error, MemoryError) or is_torchs:
        return "error: out of memory; close other programs, or give smaller images", UserError.exit_code
    if isinstance(error, UnicodeEncodeError) and error.reason == "surrogates not allowed":
        near = error.object[max(0, error.start - 40) : error.end + 40]
        return f"error: a name that is not UTF-8 ({near!r}); rename the file or folder", UserError.exit_code
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
    end = ending(error, GO_ON)
    if end is None:
        sys.__excepthook__(kind, error, traceback)
        return
    line, code = end
    sys.stdout.flush()
    # Not to sys.stderr: the hook of a process group of PyTorch, which calls this one, collects what is written there
    # and loses it by the exception below.
    print(line, file=sys.__stderr__, flush=True)
    # If the hook returned, the exit code would be 1; Python uses that of a SystemExit raised here.
    raise SystemExit(code)


def _report_thread(args: threading.ExceptHookArgs) -> None:
    # TensorBoard's thread hands a full disk on to the main thread, which reports it.
    if not isinstance(args.exc_value, OSError):
        threading.__excepthook__(args)


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one would interrupt the clean-up
    raise Terminated
