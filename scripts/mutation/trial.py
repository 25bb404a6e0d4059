"""Try mutants: which tests reach them, and whether one of these tests fails."""

from __future__ import annotations

import math
import os
import shutil
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import cache_from_source
from itertools import accumulate
from pathlib import Path
from typing import Any

import coverage
import pytest

from custom.errors import UserError

from .children import Ended, Recorder, import_libraries, in_child, run_pytest
from .mutants import Mutant

BASELINE_SECONDS = 1200
ROOM = 400  # bytes at the end of files with compiled functions, so that mutants can have the size of the original
COPIED = ("custom", "tests")  # the rest of the repository is linked
KILLED, TIMED_OUT, SURVIVED, UNREACHED = "killed", "timed out", "survived", "unreached"


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant.

    Attributes:
        kind: "killed": a test failed or the process crashed; "timed out": a test never ended, which counts as killed;
            "survived"; "unreached": no test runs its function.
        by: the first test that failed, the first file that could not be imported, or "crash"; of a
            survivor how many tests were tried, if not all.
    """

    kind: str
    by: str = ""

    @property
    def is_killed(self) -> bool:
        return self.kind in (KILLED, TIMED_OUT)


@dataclass(frozen=True)
class Reach:
    """What the tests of a folder do when nothing is mutated.

    Attributes:
        seconds: how long each test takes.
        lines: for each file of `custom`, the tests that run each line inside a function.
        start_processes: the tests that start processes, in which coverage sees nothing.
    """

    seconds: dict[str, float]
    lines: dict[str, dict[int, set[str]]]
    start_processes: set[str]

    def tests_for(self, mutant: Mutant) -> list[str]:
        """Tests to try: those that run the mutant's function, and those that start processes.

        Those in the test file of the same name come first, in each group the quickest.

        Coverage does not see compiled functions and the module level: then those that run anything of the file.
        """
        lines = self.lines.get(mutant.file, {})
        here = range(mutant.first, mutant.last + 1) if mutant.runs_as_python else lines
        chosen = self.start_processes.union(*(lines.get(n, ()) for n in here))
        own = f"test_{Path(mutant.file).stem}"
        return sorted(chosen, key=lambda test: (Path(test.partition("::")[0]).stem != own, self.seconds[test]))


class Trials:
    """A copy of the repository in which mutants are tried, one at a time.

    Args:
        repository: root of the repository.
        workspace: an empty folder for the copy.
        tests: folder or file with the tests, from the root of the repository.
        limit: seconds of tests for each mutant; slower tests are left out.

    Raises:
        UserError: a test fails though nothing is mutated.
    """

    def __init__(self, repository: Path, workspace: Path, tests: str, limit: float = math.inf) -> None:
        self.root, self.log, self.tests, self.limit = workspace / "copy", workspace / "log", tests, limit
        _copy(repository, self.root)
        self._set_environment()
        self.reach = self._baseline()

    def _set_environment(self) -> None:
        """One thread for each library, and no bytecode: Python validates it by size and whole seconds only."""
        os.environ.update(OMP_NUM_THREADS="1", PYTHONDONTWRITEBYTECODE="1")
        sys.dont_write_bytecode = True

    def run(self, mutant: Mutant) -> Outcome:
        """Write the mutant over its file, run the tests that reach it, and restore the file.

        Raises:
            UserError: the tests cannot be imported, with or without the mutant.
        """
        reaching = self.reach.tests_for(mutant)
        if not reaching:
            return Outcome(UNREACHED)
        ends = accumulate(self.reach.seconds[test] for test in reaching)
        tests = [test for test, end in zip(reaching, ends, strict=True) if end <= self.limit] or reaching[:1]
        files = sorted({test.partition("::")[0] for test in tests})

        def try_tests() -> tuple[int, str]:
            recorder = Recorder(tests)
            return run_pytest(recorder, files), recorder.failed

        with self._mutated(mutant):
            seconds = 20 + 4 * sum(self.reach.seconds[test] for test in tests)
            ended = in_child(try_tests, self.root, self.log, seconds)
        if ended.code is None:
            return Outcome(TIMED_OUT)
        if ended.code == pytest.ExitCode.OK:
            return Outcome(SURVIVED, "" if len(tests) == len(reaching) else f"{len(tests)} of {len(reaching)} tests")
        if ended.code != pytest.ExitCode.TESTS_FAILED:
            # Not a failed test, but a crash or a failed import: is the mutant to blame?
            self._require_passed(in_child(lambda: self._collect(files), self.root, self.log, seconds))
        return Outcome(KILLED, ended.value or "crash")

    @contextmanager
    def _mutated(self, mutant: Mutant) -> Iterator[None]:
        file = self.root / mutant.file
        original, status = file.read_text(), file.stat()
        try:
            file.write_text(_padded(mutant.source, status.st_size))
            # Numba validates its cache by time and size. With a new time it compiles all functions of the file anew,
            # which takes seconds; compiled functions call none of other files.
            if mutant.runs_as_python:
                os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
            Path(cache_from_source(str(file))).unlink(missing_ok=True)
            yield
        finally:
            file.write_text(original)
            os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))

    @staticmethod
    def _collect(files: list[str]) -> tuple[int, None]:
        return run_pytest(Recorder(), files, "--collect-only"), None

    def _baseline(self) -> Reach:
        ended = in_child(self._measure, self.root, self.log, BASELINE_SECONDS)
        self._require_passed(ended)
        modules, *reach = ended.value
        import_libraries(modules)
        return Reach(*reach)

    def _measure(self) -> tuple[int, Any]:
        """Run all tests; gives the modules they import and the arguments of `Reach`."""
        tracer = coverage.Coverage(data_file=None, config_file=False, source=[str(self.root / "custom")])
        start_processes: set[str] = set()

        def note_processes(event: str, _: object) -> None:
            if event in ("os.fork", "os.posix_spawn", "subprocess.Popen"):
                start_processes.add(recorder.running)

        def on_test(name: str) -> None:
            if not recorder.seconds:  # the first test; traced imports would take twice as long
                tracer.start()
            tracer.switch_context(name)

        recorder = Recorder(on_test=on_test)
        sys.addaudithook(note_processes)
        code = run_pytest(recorder, [self.tests])
        tracer.stop()
        data = tracer.get_data()
        lines: dict[str, dict[int, set[str]]] = defaultdict(dict)
        for file in data.measured_files():
            name = Path(file).relative_to(self.root).as_posix()
            for number, tests in data.contexts_by_lineno(file).items():
                lines[name][number] = set(tests) & recorder.seconds.keys()
        own = {"custom", "scripts", "tests", "__main__", "conftest"}
        modules = [name for name in sys.modules if name.partition(".")[0] not in own]
        return code, (modules, dict(recorder.seconds), dict(lines), start_processes & recorder.seconds.keys())

    def _require_passed(self, ended: Ended) -> None:
        if ended.code != 0:
            tail = " | ".join(self.log.read_text(errors="replace").splitlines()[-3:])
            raise UserError(f"{self.tests}: does not pass without a mutant; make it pass first ({tail})")


def _copy(repository: Path, root: Path) -> None:
    root.mkdir(parents=True)
    for path in repository.iterdir():
        if path.name in COPIED:
            shutil.copytree(path, root / path.name)  # with times, so that bytecode and compiled functions stay valid
        elif not path.name.startswith("."):
            (root / path.name).symlink_to(path)
    for file in (root / "custom").rglob("*.py"):
        text = file.read_text()
        if "@compiled" in text:
            file.write_text(_padded(text, file.stat().st_size + ROOM))


def _padded(text: str, size: int) -> str:
    """The text with spaces after it, `size` bytes long, or as it is if it is longer."""
    return text + " " * (size - len(text.encode()))
