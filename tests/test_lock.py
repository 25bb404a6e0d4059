"""Locks of folders against other processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from custom.errors import UserError
from custom.lock import hold_lock, lock

HOLD = """
import sys, filelock
held = filelock.FileLock(sys.argv[1])
held.acquire()
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other_process(tmp_path):
    """A process that holds the lock `tmp_path/.lock` until it is killed."""
    line = [sys.executable, "-c", HOLD, str(tmp_path / ".lock")]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_another_process_is_kept_out_until_it_is_killed(tmp_path, other_process):
    with pytest.raises(UserError, match=f"{tmp_path}: another process is writing to it"), lock(tmp_path):
        pass
    with lock(tmp_path, ".other"):
        pass
    other_process.kill()
    other_process.wait()
    with lock(tmp_path):
        pass


def test_lock_ends_with_the_block(tmp_path):
    folder = tmp_path / "new" / "folder"
    with lock(folder), pytest.raises(UserError, match="another process"), lock(folder):
        pass
    with lock(folder):
        pass


def test_hold_lock_lasts_and_is_taken_once(tmp_path):
    hold_lock(tmp_path)
    hold_lock(Path(tmp_path, ".", "..", tmp_path.name))
    with pytest.raises(UserError, match="another process"), lock(tmp_path):
        pass


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be locked"), lock(tmp_path / "file" / "folder"):
        pass
