"""Run pytest in forked children of one process that has imported the libraries already."""

from __future__ import annotations

import gc
import importlib
import os
import pickle
import resource
import select
import signal
import sys
import threading
import traceback
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import pytest

OWN = ("custom", "scripts", "tests")  # packages that every child imports anew, from the copy
MEMORY = 16 * 2**30  # bytes of address space: a mutant that asks for more is ended by an error, not by the machine
WALL = 20  # a child may take this many times its limit of processor time: it may wait, or share the processors


@dataclass(frozen=True)
class Ended:
    """How a child ended.

    Attributes:
        code: pytest's exit code, negative for a signal, None if it ran out of time.
        value: what the child's function returned; None if it did not get that far.
    """

    code: int | None
    value: Any = None


@dataclass(eq=False)  # pytest keeps plugins in sets
class Recorder:
    """A pytest plugin that picks and orders tests, and notes what they do.

    Attributes:
        order: tests to run, the first first; None for all that pytest finds.
        on_test: called with the name of each test before it runs.
        running: the test that began last.
        seconds: how long each test took, with its set-up.
        failed: the first test that failed, or the first file that could not be imported; empty if none.
    """

    order: Sequence[str] | None = None
    on_test: Callable[[str], object] | None = None
    running: str = ""
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    failed: str = ""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        if self.order is not None:
            place = {name: i for i, name in enumerate(self.order)}
            items[:] = sorted((i for i in items if i.nodeid in place), key=lambda i: place[i.nodeid])

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.running = nodeid
        if self.on_test is not None:
            self.on_test(nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed and not self.failed:
            self.failed = report.nodeid

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid] += report.duration
        if report.failed and not self.failed:
            self.failed = report.nodeid


def run_pytest(recorder: Recorder, paths: Sequence[str], *more: str) -> int:
    """Run the tests of `paths` until the first failure, with `more` options; returns pytest's exit code."""
    options = ["-x", "--no-header", "--tb=short", "-p", "no:cacheprovider", "--hypothesis-seed=0", "--basetemp=.tmp"]
    return int(pytest.main([*options, *more, *paths], plugins=[recorder]))


def import_libraries(names: Sequence[str]) -> None:
    """Import what the tests import, but for the code under test; the children inherit it.

    Raises:
        RuntimeError: a library started a thread, and a forked child would lack it.
    """
    for name in names:
        with suppress(Exception):  # Some submodules cannot be imported by themselves; the children try again.
            importlib.import_module(name)
    gc.collect()
    gc.freeze()  # or each child would spend more time on collecting the libraries' objects than on the tests
    if threading.active_count() > 1:
        raise RuntimeError(f"threads are running: {threading.enumerate()}")


def in_child(function: Callable[[], tuple[int, Any]], root: Path, log: Path, seconds: float) -> Ended:
    """Fork, run `function() -> (exit code, value)` in `root` and wait for its end.

    Args:
        function: what to run; its value travels by pickle, so it is of builtin types.
        root: working folder of the child, and where it imports this project from.
        log: file for what the child prints.
        seconds: processor time that it may take, as a whole number.
    """
    reader, writer = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        _child(function, root, log, seconds, writer)
    os.close(writer)
    value: bytes | None = None
    try:
        value = _read(reader, WALL * seconds)
    finally:
        os.close(reader)
        if value is None:
            _kill_group(pid)
        _, status = os.waitpid(pid, 0)
        _kill_group(pid)  # what a crashed child left behind
    if value:
        return Ended(*pickle.loads(value))
    code = os.waitstatus_to_exitcode(status)
    return Ended(None if value is None or code == -signal.SIGXCPU else code)


def _kill_group(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _read(reader: int, seconds: float) -> bytes | None:
    """All that the child sends before it closes its end; None if it takes longer."""
    parts: list[bytes] = []
    while select.select([reader], [], [], seconds)[0]:
        part = os.read(reader, 2**16)
        if not part:
            return b"".join(parts)
        parts.append(part)
    return None


def _child(function: Callable[[], tuple[int, Any]], root: Path, log: Path, seconds: float, writer: int) -> NoReturn:
    code = 70
    try:
        os.setsid()  # a group of its own, to be ended with all that it starts
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with log.open("wb") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
        resource.setrlimit(resource.RLIMIT_CPU, (int(used + seconds) + 1, resource.RLIM_INFINITY))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.RLIM_INFINITY))
        _import_from(root)
        result = function()
        sys.stdout.flush()
        with os.fdopen(writer, "wb") as pipe:
            pickle.dump(result, pipe)
        code = result[0]
    except Exception:
        traceback.print_exc()
    finally:
        os._exit(code)


def _import_from(root: Path) -> None:
    """Forget this project's modules and import them from `root` from now on."""
    for name in [name for name in sys.modules if name.partition(".")[0] in OWN]:
        del sys.modules[name]
    os.chdir(root)
    sys.path[0] = str(root)
    os.environ["PYTHONPATH"] = str(root)
