"""JSON as people edit it."""

from __future__ import annotations

import pytest

from custom.errors import UserError
from custom.json_file import read_json


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_content_with_and_without_a_byte_order_mark(tmp_path, mark):
    (tmp_path / "a.json").write_bytes(mark + '{"a": "ü"}'.encode())
    assert read_json(tmp_path / "a.json") == {"a": "ü"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{\n"a": 1,}', r"a\.json: broken JSON in line 2, column 8"),
        (b"[" * 20_000, r"a\.json: its lists or objects are nested too deeply"),
        ("ü".encode("latin-1"), r"a\.json: cannot be read"),
        ("[]".encode("utf-16"), r"a\.json: cannot be read"),
        (b'{"a": [{"b": 1, "c": 2, "b": 1}]}', r'^[^:]*a\.json: has "b" twice in one object; keep the right one$'),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path, content, message):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(UserError, match=message) as refusal:
        read_json(tmp_path / "a.json")
    assert "\n" not in str(refusal.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"no\.json: cannot be read"):
        read_json(tmp_path / "no.json")
