"""Complete under the final name, or not there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from custom.errors import UserError
from custom.files import new_folder, replace_file


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
        with pytest.raises(expected):
            _write_and_fail(writer, tmp_path / Path(name).parts[0], name, error)
    assert not list(tmp_path.iterdir())


def _write_and_fail(writer: Callable, path: Path, name: str, error: Exception) -> None:
    with writer(path) as temporary:
        (temporary if "/" not in name else temporary / "a.txt").write_text("half")
        raise error
