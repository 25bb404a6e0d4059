"""Atomic writing of files and folders."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from custom import files
from custom.errors import UserError
from custom.files import (
    is_inside,
    new_folder,
    replace_file,
    require_space,
    require_writable,
    temporary_folder,
)


def test_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    for text in ("one", "two"):
        with replace_file(path) as temporary:
            assert temporary.suffix == ".txt"
            temporary.write_text(text)
        assert path.read_text() == text
    assert list(path.parent.iterdir()) == [path]


def test_folder_appears_complete(tmp_path: Path) -> None:
    path = tmp_path / "new" / "set"
    with new_folder(path) as temporary:
        (temporary / "a.txt").write_text("one")
        assert not path.exists()
    assert (path / "a.txt").read_text() == "one"
    assert list(path.parent.iterdir()) == [path]


def test_a_temporary_folder_that_fills_up_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(UserError, match=f"^{tmp_path}: cannot be written .No space left.* TMPDIR"), temporary_folder():
        raise OSError(28, "No space left on device")
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match="nowhere: cannot be written"), temporary_folder():
        pass


def test_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    with new_folder(tmp_path / "set") as temporary:
        (temporary / "a.txt").write_text("one")
    assert (tmp_path / "set" / "a.txt").exists()


def test_folder_in_use_is_kept(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("mine")
    with pytest.raises(UserError, match="exists already"), new_folder(tmp_path):
        pass
    assert (tmp_path / "a.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("error", "expected"), [(OSError(28, "No space left on device"), UserError), (KeyError("a"), KeyError)]
)
def test_failure_leaves_nothing(tmp_path: Path, error: Exception, expected: type[Exception]) -> None:
    for writer, name in ((replace_file, "a.txt"), (new_folder, "set/a.txt")):
        for folder in (tmp_path, tmp_path / "new" / "deep"):
            with pytest.raises(expected):
                _write_and_fail(writer, folder / Path(name).parts[0], name, error)
    assert not list(tmp_path.iterdir())


def test_failure_leaves_what_others_put_into_a_new_folder(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    with pytest.raises(UserError, match="a.txt: cannot be written"), replace_file(path):
        (path / "b").mkdir(parents=True)
    assert list(path.parent.rglob("*")) == [path, path / "b"]


def test_a_test_for_writing_leaves_nothing(tmp_path: Path) -> None:
    assert require_writable(tmp_path / "new" / "deep") == tmp_path / "new" / "deep"
    require_writable(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "reason"), [("file", "Not a dir"), ("file/out", "Not a dir"), ("a" * 300, "too long")]
)
def test_what_cannot_become_a_folder(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=f"{name}: cannot be written .*{reason}"):
        require_writable(tmp_path / name)
    (tmp_path / "file").unlink()
    assert not list(tmp_path.iterdir())


def _write_and_fail(writer: Callable, path: Path, name: str, error: Exception) -> None:
    with writer(path) as temporary:
        (temporary if "/" not in name else temporary / "a.txt").write_text("half")
        raise error


@pytest.mark.parametrize("writer", [replace_file, new_folder])
def test_temporary_names_cannot_be_predicted(tmp_path: Path, writer: Callable) -> None:
    names = set()
    for number in range(3):
        with writer(tmp_path / f"{number}.txt") as temporary:
            names.add(temporary.name.rpartition(".part")[0][-16:])
            assert temporary.exists()  # nobody else can put a link there
    assert len(names) == 3


def test_long_names_are_no_problem(tmp_path: Path) -> None:
    path = tmp_path / f"{'a' * 250}.txt"
    with replace_file(path) as temporary:
        temporary.write_text("one")
    assert path.read_text() == "one"


def test_the_umask_decides_who_may_read(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with replace_file(tmp_path / "a.txt") as temporary:
            temporary.write_text("one")
        with new_folder(tmp_path / "b"):
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o750


KILLED = """
import os, signal, sys
from custom.files import new_folder, replace_file
with replace_file(sys.argv[1] + "/a.txt") as file, new_folder(sys.argv[1] + "/b") as folder:
    file.write_text("half"); (folder / "c").write_text("half")
    if sys.argv[2] == "die": os.kill(os.getpid(), signal.SIGKILL)
    print("ready", flush=True); sys.stdin.readline()
"""


def test_left_overs_of_killed_processes_are_removed_those_of_others_stay(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    subprocess.run([*command, "die"], check=False)
    assert len(list(tmp_path.iterdir())) == 2
    with subprocess.Popen([*command, "live"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with replace_file(tmp_path / "a.txt") as file, new_folder(tmp_path / "b"):
            file.write_text("mine")
            parts = [path.name for path in tmp_path.iterdir()]
            assert len(parts) == 4
            assert sum(f"-{other.pid}-" in name for name in parts) == 2
        other.kill()
    assert (tmp_path / "a.txt").read_text() == "mine"


@pytest.mark.parametrize("name", ["folder", "pipe"])
def test_only_regular_files_are_replaced(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match=rf"{name}: is not a regular file"), replace_file(tmp_path / name):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "pipe"]


def test_free_space_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require_space(tmp_path / "new" / "folder", 1)
    monkeypatch.setattr(files.shutil, "disk_usage", lambda path: SimpleNamespace(free=3 * 2**20))
    with pytest.raises(UserError, match=r"folder: needs 2.0 GiB, and the disk has 3.0 MiB free"):
        require_space(tmp_path / "folder", 2**31)


@pytest.mark.parametrize("name", ["../a", "/a", "a/../../b", "..\\a", "C:\\a", "c:a", "", ".", "a/b:c", "a\0b"])
def test_names_that_lead_outside(name: str) -> None:
    assert not is_inside(name)


@pytest.mark.parametrize("name", ["a", "a/b.txt", "a..b", ".a", "a/..b/c "])
def test_names_that_stay_inside(name: str) -> None:
    assert is_inside(name)


def test_errors_name_the_final_folder_and_not_the_temporary_one(tmp_path):
    with pytest.raises(UserError, match=rf"^{re.escape(str(tmp_path / 'out' / 'a.png'))}: is broken$"), \
            new_folder(tmp_path / "out") as folder:  # fmt: skip
        raise UserError(f"{folder / 'a.png'}: is broken")
