"""The code assumes no particular operating system: checked without another one at hand."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(file for folder in ("custom", "scripts") for file in (ROOT / folder).rglob("*.py"))
POSIX_MODULES = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"}
POSIX_NAMES = {
    *("fork", "forkpty", "geteuid", "getpgid", "getuid", "killpg", "mkfifo", "nice", "setpgid", "setsid", "uname"),
    *("wait3", "wait4", "SIGALRM", "SIGCHLD", "SIGHUP", "SIGKILL", "SIGPIPE", "SIGQUIT", "SIGUSR1", "SIGUSR2"),
}
POSIX_ARGUMENTS = {"preexec_fn", "pass_fds"}
POSIX_PATHS = ("/bin/", "/dev/", "/etc/", "/proc/", "/tmp", "/usr/", "/var/")
# A tool for developers forks a warm process for each mutant; two others look whether there is such a file first.
EXEMPT = {"scripts/mutation": None, "scripts/benchmark/memory.py": "resource", "scripts/processor.py": "/proc/cpuinfo"}


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
        elif isinstance(node, ast.keyword) and node.arg in POSIX_ARGUMENTS:
            found.append(node.arg)
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("get_context", "set_start_method"):
            found += [x.value for x in node.args if isinstance(x, ast.Constant) and x.value in ("fork", "forkserver")]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found += [node.value for _ in [0] if node.value.startswith(POSIX_PATHS) and " " not in node.value]
    return found


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
    ],
)
def test_the_search_finds(code: str) -> None:
    assert assumptions(ast.parse(code))


def test_names_of_files_fit_windows() -> None:
    names = [
        file.relative_to(ROOT).as_posix()
        for folder in ("bundle", "custom", "scripts", "tests", "docs")
        for file in (ROOT / folder).rglob("*")
        if "__pycache__" not in file.parts
    ]
    assert len({name.casefold() for name in names}) == len(names)
    assert not [name for name in names if set(name) & set(':*?"<>|\\') or len(name) > 150]
