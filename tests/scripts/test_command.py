"""Commands end in one line and an exit code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from custom.errors import UserError
from scripts import command

ROOT = Path(__file__).parents[2]


def ends_by(error: BaseException | None, code: int = 0) -> Callable[[], int]:
    """A main function that raises `error` or returns `code`."""

    @command.entry_point("start again")
    def main(argv=None) -> int:
        if error is not None:
            raise error
        return code

    return main


@pytest.mark.parametrize("code", [0, command.SOME_FAILED])
def test_code_that_main_returns(code, capsys):
    assert ends_by(None, code)() == code
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UserError("a.png: not an image"), 2, "error: a.png: not an image"),
        (UserError("two\nlines"), 2, "error: two lines"),
        (FileNotFoundError(2, "No such file or directory", "b.png"), 2, "error: b.png: No such file or directory"),
        (OSError("odd"), 2, "error: odd"),
        (MemoryError(), 2, "error: out of memory; close other programs, or give smaller images"),
        (KeyboardInterrupt(), 130, "interrupted; start again"),
        (command.Terminated(), 143, "terminated; start again"),
    ],
)
def test_one_line(error, code, line, capsys):
    assert ends_by(error)() == code
    assert capsys.readouterr() == ("", line + "\n")


def test_user_error_that_a_library_wrapped(capsys):
    wrapped = RuntimeError("applying transform Load")
    wrapped.__cause__ = UserError("a.png: not an image")
    assert ends_by(wrapped)() == 2
    assert capsys.readouterr().err == "error: a.png: not an image\n"


def test_a_bug_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        ends_by(ZeroDivisionError())()


def test_signals_are_given_back():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    ends_by(None)()
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def parser() -> command.Parser:
    made = command.make_parser("scripts.x", "Do it.\n\n    python -m scripts.x   two  spaces")
    made.add_argument("--output", required=True, help="a new file")
    made.add_argument("--seed", type=int, default=0, help="of the split")
    made.add_argument("--quick", action="store_true", help="less work")
    return made


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "--output"),
        (["--output", "a", "--seed", "x"], "--seed: invalid int value: 'x'"),
        (["--output", "a", "--sede", "1"], "--sede: not an option of `python -m scripts.x`; did you mean --seed?"),
        (["--out", "a", "--output", "b"], "--out: not an option"),
        (["--output", "a", "word"], "word: not an option of `python -m scripts.x`; --help lists them"),
    ],
)
def test_command_line_is_refused_in_one_line(words, message):
    with pytest.raises(UserError) as caught:
        parser().parse_args(words)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_word_that_is_not_utf8_is_refused():
    with pytest.raises(UserError, match=r"^runs/.: is not UTF-8; rename"):
        parser().parse_args(["--output", "runs/\udcff"])


def test_a_word_that_python_does_not_read_as_utf8_has_another_remedy(monkeypatch):
    monkeypatch.setattr(sys, "getfilesystemencoding", lambda: "ascii")
    with pytest.raises(UserError, match=r"^runs/..: is not UTF-8; Python reads it as ascii: set PYTHONUTF8=1"):
        parser().parse_args(["--output", "runs/\udcc3\udcb6"])


def test_option_of_a_sub_command_is_suggested():
    made = command.make_parser("scripts.x", "Do it.")
    made.add_subparsers(required=True).add_parser("one").add_argument("--annotations")
    with pytest.raises(UserError, match="did you mean --annotations"):
        made.parse_args(["one", "--anotations", "2"])


def test_help_has_the_docstring_as_it_is_and_the_defaults():
    text = parser().format_help()
    assert text.startswith("usage: python -m scripts.x ")
    assert "\n    python -m scripts.x   two  spaces\n" in text
    assert "of the split (default: 0)" in text
    assert "(default: False)" not in text
    assert "(default: None)" not in text


def test_a_warning_is_one_line(capsys):
    @command.entry_point("start again")
    def main(argv=None):
        for category in (UserWarning, DeprecationWarning):
            print(warnings.formatwarning("look here", category, "file.py", 3), end="")
        return 0

    usual = warnings.formatwarning
    assert main() == 0
    assert capsys.readouterr().out == "warning: look here\nfile.py:3: DeprecationWarning: look here\n"
    assert warnings.formatwarning is usual


WITH_A_CHILD = """
import subprocess, sys, time
from scripts.command import entry_point

@entry_point("start again")
def main(argv=None):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        print(child.pid, flush=True)
        time.sleep(60)
    finally:
        print("cleaned up", flush=True)

sys.exit(main())
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize(
    ("number", "code", "line"),
    [(signal.SIGINT, 130, "interrupted; start again\n"), (signal.SIGTERM, 143, "terminated; start again\n")],
)
def test_signal_ends_the_command_and_its_children(number, code, line):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen([sys.executable, "-c", WITH_A_CHILD], cwd=ROOT, text=True, **pipes)
    assert process.stdout is not None
    child = int(process.stdout.readline())
    process.send_signal(number)
    assert process.communicate(timeout=30) == ("cleaned up\n", line)
    assert process.returncode == code
    assert not psutil.pid_exists(child)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize(("number", "line"), [(signal.SIGINT, "interrupted\n"), (signal.SIGTERM, "terminated\n")])
def test_signal_while_a_command_is_still_being_imported(number, line, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import atexit, sys\n"
        "class Slow:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'scripts.export.__main__':\n"
        "            import time; print('importing', flush=True); time.sleep(60)\n"
        "sys.meta_path.insert(0, Slow())\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "scripts.export"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "importing\n"
    time.sleep(0.1)
    process.send_signal(number)
    assert process.communicate(timeout=30)[1] == line
    assert process.returncode == 128 + number


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such pipes")
def test_reader_that_goes_away():
    code = (
        "from scripts.command import entry_point\nimport sys\n"
        "@entry_point('')\ndef main(argv=None):\n    sys.stdin.read(1)\n    print('x' * 9**6)\n    return 0\n"
        "sys.exit(main())"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, text=True, **pipes)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    process.stdin.write("\n")
    process.stdin.close()
    assert process.stderr.read() == ""
    assert process.wait(30) == 141


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such pipes")
@pytest.mark.parametrize(("closed", "err"), [("<&- >&-", "error: x\n"), ("<&- >&- 2>&-", "")])
def test_streams_that_are_closed(closed, err, tmp_path):
    code = (
        "from scripts.command import entry_point\nimport sys, os\nfrom custom.errors import UserError\n"
        "@entry_point('')\ndef main(argv=None):\n"
        f"    open(r'{tmp_path / 'a'}', 'w').write('whole')\n"
        "    print('out'); os.write(1, b'c')\n    raise UserError('x')\n"
        "sys.exit(main())"
    )
    line = ["sh", "-c", f'exec "$0" -c "$1" {closed}', sys.executable, code]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", err)
    assert (tmp_path / "a").read_text() == "whole"


@pytest.mark.parametrize("file", ["custom/__init__.py", "custom/other.py"])
def test_another_package_called_custom(file, tmp_path):
    (tmp_path / "custom").mkdir()
    (tmp_path / file).touch()
    done = subprocess.run(
        [sys.executable, "-m", "scripts.export", "--help"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    if file == "custom/other.py":  # a folder without `__init__.py` shadows nothing
        assert (done.returncode, done.stderr) == (0, "")
    else:
        assert done.returncode == 2
        assert done.stderr == (
            f"error: {tmp_path / file}: hides this project's package custom; run the command elsewhere\n"
        )
