"""Commands in processes of their own, for faults that would hit this one: forked from a server that imported all."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import multiprocessing
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext
from pathlib import Path

import psutil

from .warm import TOYS, Ending

COMMANDS = ("run", "segment_volume", "prepare_data", "score", "report", "export", "ship_model", "ensemble", "tune")
PATIENCE = 300  # seconds for a command that takes some


@dataclass(frozen=True)
class Limits:
    """What a child may not do.

    Attributes:
        largest: bytes of a file; beyond them, writing fails as on a full disk.
        temporary: its folder for temporary files.
        powerless: permissions count for it, also if it is root's.
    """

    largest: int | None = None
    temporary: Path | None = None
    powerless: bool = False


@functools.cache
def _server() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    modules = [f"scripts.{name}.__main__" for name in (*COMMANDS, "package_bundle", "robustness")]
    modules += [f"tests.robustness.toys.{name}" for name in TOYS]
    context.set_forkserver_preload([*modules, "custom", "scipy.ndimage", "matplotlib.pyplot", "tensorboard"])
    return context


@contextlib.contextmanager
def start(module: str, words: Sequence[str], folder: Path, limits: Limits) -> Iterator[Child]:
    """Start a command; it is killed at the end of the block, with its own children, if it still runs.

    Args:
        module: what is run, `scripts.NAME.__main__`.
        words: its command line.
        folder: for what it prints.
        limits: of the process.
    """
    process = _server().Process(target=_child, args=(module, list(words), folder, limits))
    process.start()
    try:
        yield Child((module, *words), process, folder)
    finally:
        _kill(process)
        process.join()


def _kill(process: multiprocessing.process.BaseProcess) -> None:
    """Kill a process and its children, as a computer that is switched off does."""
    with contextlib.suppress(psutil.NoSuchProcess):
        family = psutil.Process(process.pid)
        for one in (family, *family.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()


@dataclass(frozen=True)
class Child:
    """A command that runs."""

    words: tuple[str, ...]
    process: multiprocessing.process.BaseProcess
    folder: Path

    def send(self, number: int) -> None:
        """Send a signal, if the command still runs; SIGKILL to its children, too."""
        if self.process.pid is None or self.process.exitcode is not None:
            return
        if number == signal.SIGKILL:
            _kill(self.process)
        else:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid, number)

    def has_begun(self) -> bool:
        """Whether the command itself runs; before, the process is prepared."""
        return (self.folder / "begun").exists()

    def wait(self, seconds: float = PATIENCE) -> Ending | None:
        """How it ended; None if it did not within the time."""
        self.process.join(seconds)
        if self.process.exitcode is None:
            return None
        err = (self.folder / "stderr").read_text(errors="replace") if self.has_begun() else ""
        lines = [line for line in err.splitlines() if not line.startswith("warning: ")]
        return Ending(self.words, self.process.exitcode, "", "\n".join(lines))


def _child(module: str, words: list[str], folder: Path, limits: Limits) -> None:
    import importlib
    import traceback
    import warnings

    import torch

    import scripts

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    for path, stream in (("/dev/null", 1), (folder / "stderr", 2)):
        os.dup2(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o666), stream)
    sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, scripts._end_quietly)  # as `python -m` does until the command itself runs
    sys.argv = [module, *words]
    _limit(limits)
    (folder / "begun").touch()
    code = 1
    try:
        code = importlib.import_module(module).main(words)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _limit(limits: Limits) -> None:
    import resource

    if limits.temporary is not None:
        os.environ["TMPDIR"] = tempfile.tempdir = str(limits.temporary)
    if limits.largest is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limits.largest, limits.largest))
    if limits.powerless and os.getuid() == 0:
        _drop_capabilities()


def _drop_capabilities() -> None:
    """Let permissions count for root: it stays the owner of its files, but may no longer pass by their modes."""
    header, none = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    if ctypes.CDLL(None, use_errno=True).capset(header, none) != 0:
        raise OSError(ctypes.get_errno(), "capset")
