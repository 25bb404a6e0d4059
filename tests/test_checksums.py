"""Lists of checksums find what was altered, and are refused where they are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from custom.checksums import altered_files, parse_checksums, write_checksums
from custom.errors import UserError


def test_checksums_find_what_was_altered(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("a.txt", "deep/b.txt", "deep/c.txt"):
        (tmp_path / name).write_text(name)
    write_checksums(tmp_path)
    write_checksums(tmp_path)  # the list itself is not in the list
    assert altered_files(tmp_path) == []
    (tmp_path / "a.txt").write_text("A")
    (tmp_path / "deep" / "c.txt").unlink()
    assert altered_files(tmp_path) == ["a.txt", "deep/c.txt"]


SUM = "0" * 64


@pytest.mark.parametrize(
    "text",
    ["no sum", f"{SUM} a", f"{SUM}  ../a", f"{SUM}  /a", f"{SUM}  a\n{SUM}  a", f"{SUM[1:]}  a", f"{SUM}  C:\\a"],
)
def test_lists_of_checksums_that_are_none(text: str) -> None:
    with pytest.raises(UserError, match="SHA256SUMS: line . is not a checksum"):
        parse_checksums(text)
