"""Errors and interruptions end in one line with an exit code."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest
import torch

from custom.errors import SomeFailedError, UserError
from custom.exits import Terminated, ending, one_line_errors


@pytest.fixture(autouse=True)
def restored(monkeypatch):
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def wrapped() -> RuntimeError:
    error = RuntimeError("Failed to evaluate")
    error.__cause__ = UserError("a.png: broken; give another")
    return error


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UserError("a.png: broken;\ngive another"), 2, "error: a.png: broken; give another\n"),
        (wrapped(), 2, "error: a.png: broken; give another\n"),
        (SomeFailedError("2 failed:\n  a\n  b"), 1, "error: 2 failed:\n  a\n  b\n"),
        (FileNotFoundError(2, "No such file", "b.png"), 2, "error: b.png: No such file\n"),
        (OSError("odd"), 2, "error: odd\n"),
        (
            UnicodeEncodeError("utf-8", "runs/\udcff", 5, 6, "surrogates not allowed"),
            2,
            "error: a name that is not UTF-8 ('runs/\\udcff'); rename the file or folder\n",
        ),
        (MemoryError(), 2, "error: out of memory; close other programs, or give smaller images\n"),
        (KeyboardInterrupt(), 130, "interrupted; run the same command again\n"),
        (Terminated(), 143, "terminated; run the same command again\n"),
        (Terminated("nothing was saved yet"), 143, "terminated; nothing was saved yet\n"),
    ],
    ids=repr,
)
def test_an_error_or_interruption_is_one_line_with_an_exit_code(error, code, line, capfd):
    one_line_errors()
    with pytest.raises(SystemExit) as end:
        sys.excepthook(type(error), error, None)
    assert end.value.code == code
    assert capfd.readouterr().err == line


class Broken(torch.utils.data.Dataset):
    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> None:
        raise UserError("a.png: broken: give another")


def test_error_in_a_worker_of_a_data_loader():
    with pytest.raises(UserError) as caught:
        next(iter(torch.utils.data.DataLoader(Broken(), num_workers=1)))
    assert ending(caught.value, "") == ("error: a.png: broken: give another", 2)


def test_memory_of_pytorch():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    for error in (caught.value, torch.OutOfMemoryError("CUDA out of memory.")):
        line, code = ending(error, "") or ("", 0)
        assert (line.partition(";")[0], code) == ("error: out of memory", 2)


def test_other_errors_keep_their_traceback(capsys):
    one_line_errors()
    try:
        raise KeyError("x")
    except KeyError as error:
        sys.excepthook(KeyError, error, error.__traceback__)
    assert "Traceback" in capsys.readouterr().err


def test_sigterm_raises_what_no_except_exception_catches():
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    one_line_errors()
    with pytest.raises(Terminated):
        signal.raise_signal(signal.SIGTERM)
    assert not issubclass(Terminated, Exception)


def test_python_takes_the_exit_code_from_the_hook():
    """Of a whole process, because it is Python's doing."""
    code = "from custom.exits import *; one_line_errors(); raise UserError('no')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, "error: no")


def test_a_process_group_hides_no_error(tmp_path):
    code = (
        "import torch; from custom.exits import one_line_errors; from custom.errors import UserError;"
        "one_line_errors();"
        f"store = torch.distributed.FileStore({str(tmp_path / 'store')!r}, 1);"
        "torch.distributed.init_process_group('gloo', store=store, rank=0, world_size=1);"
        "raise UserError('no images')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.endswith("error: no images\n")
