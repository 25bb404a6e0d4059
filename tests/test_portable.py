"""The code assumes no particular operating system: checked without another one at hand."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from custom.files import relative_path

ROOT = Path(__file__).parents[1]
FILES = sorted(file for folder in ("custom", "scripts") for file in (ROOT / folder).rglob("*.py"))
POSIX_MODULES = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"}
POSIX_NAMES = {
    *("fork", "forkpty", "geteuid", "getpgid", "getuid", "killpg", "mkfifo", "nice", "setpgid", "setsid", "uname"),
    *("wait3", "wait4", "SIGALRM", "SIGCHLD", "SIGHUP", "SIGKILL", "SIGPIPE", "SIGQUIT", "SIGUSR1", "SIGUSR2"),
}
POSIX_ARGUMENTS = {"preexec_fn", "pass_fds"}
UNLIKE = {"rename", "relpath"}  # fails where there is such a file; between two drives
POSIX_PATHS = ("/bin/", "/dev/", "/etc/", "/proc/", "/tmp", "/usr/", "/var/")
# A tool for developers forks a warm process for each mutant; two others look whether there is such a file first.
EXEMPT = {
    "scripts/mutation": None,
    "custom/files.py": "relpath",
    "scripts/benchmark/memory.py": "resource",
    "scripts/processor.py": "/proc/cpuinfo",
}


def assumptions(tree: ast.AST) -> list[str]:
    """Modules, names, arguments and paths in some code that only POSIX systems have."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.partition(".")[0] in POSIX_MODULES]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found += [node.module for _ in [0] if node.module and node.module.partition(".")[0] in POSIX_MODULES]
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in ("os", "signal"):
            found += [node.attr for _ in [0] if node.attr in POSIX_NAMES]
        elif isinstance(node, ast.Attribute) and node.attr in UNLIKE:
            found.append(node.attr)
        elif isinstance(node, ast.keyword) and node.arg in POSIX_ARGUMENTS:
            found.append(node.arg)
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("get_context", "set_start_method"):
            found += [x.value for x in node.args if isinstance(x, ast.Constant) and x.value in ("fork", "forkserver")]
        elif isinstance(node, ast.Call) and is_text_without_encoding(node):
            found.append("encoding")
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            posix = node.value.startswith(POSIX_PATHS) and " " not in node.value
            found += [node.value for _ in [0] if posix or node.value == "bin" or "/bin/" in node.value]
    return found


def is_text_without_encoding(call: ast.Call) -> bool:
    """Whether a call reads or writes text by the system's own encoding, cp1252 on Windows."""
    if not isinstance(call.func, ast.Attribute):
        return False
    name = call.func.attr
    mode = next((x.value for x in call.args if isinstance(x, ast.Constant) and isinstance(x.value, str)), "")
    opens = name == "open" and set(mode) <= set("rwax+t") and mode != ""
    return (opens or name in ("read_text", "write_text")) and "encoding" not in {word.arg for word in call.keywords}


def exempt(file: Path) -> set[str] | None:
    """What a file may assume; None: anything."""
    name = file.relative_to(ROOT).as_posix()
    for place, allowed in EXEMPT.items():
        if name.startswith(place):
            return None if allowed is None else {allowed, "/proc/self/status"}
    return set()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_no_posix(file: Path) -> None:
    allowed = exempt(file)
    if allowed is not None:
        assert set(assumptions(ast.parse(file.read_text(encoding="utf-8")))) <= allowed


@pytest.mark.parametrize(
    "code",
    [
        "import fcntl",
        "from resource import getrusage",
        "import os; os.killpg(1, 2)",
        "import signal; signal.SIGKILL",
        "run(x, preexec_fn=f)",
        "multiprocessing.get_context('fork')",
        "open('/dev/null')",
        "environment / 'bin' / 'python'",
        "path.read_text()",
        "path.write_text('a')",
        "path.open('a')",
        "path.rename(other)",
        "os.path.relpath(path, folder)",
    ],
)
def test_the_search_finds(code: str) -> None:
    assert assumptions(ast.parse(code))


def test_another_drive_has_no_relative_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def relpath(path: object, start: object) -> str:
        raise ValueError("path is on mount 'D:', start on mount 'C:'")

    assert relative_path(tmp_path / "a" / "b", tmp_path / "c") == "../a/b"
    monkeypatch.setattr("os.path.relpath", relpath)
    assert relative_path(tmp_path / "a", tmp_path / "c") == (tmp_path / "a").as_posix()


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_a_console_that_lacks_the_letters_of_a_file(encoding: str) -> None:
    """As on Windows, where output to a file is cp1252: a run of MONAI's, and a command of ours."""
    code = (
        "import sys, scripts.command; from custom.exits import one_line_errors; from custom.errors import UserError\n"
        "one_line_errors(); print(sys.argv[1]); raise UserError(sys.argv[1])"
    )
    given = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0", "LC_ALL": "C"}
    lines = [sys.executable, "-c", code, "µm² 核"], [sys.executable, "-m", "scripts.score", "isbi", "--pred", "µm² 核"]
    for line in lines:
        done = subprocess.run(line, cwd=ROOT, env=given, capture_output=True, check=False)
        said = done.stderr.decode(encoding)
        assert (done.returncode, said.count("\n")) == (2, 1), said
        assert "Unicode" not in said


def test_names_of_files_fit_windows() -> None:
    names = [
        file.relative_to(ROOT).as_posix()
        for folder in ("bundle", "custom", "scripts", "tests", "docs")
        for file in (ROOT / folder).rglob("*")
        if "__pycache__" not in file.parts
    ]
    assert len({name.casefold() for name in names}) == len(names)
    assert not [name for name in names if set(name) & set(':*?"<>|\\') or len(name) > 150]
