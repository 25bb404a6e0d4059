"""Malicious archives are refused before anything is written."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from custom import files
from custom.archive import open_archive, unpack
from custom.errors import UserError


def make_zip(path: Path, *members: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def test_files_come_out_as_they_went_in(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", ("top/a.txt", b"one"), ("top/deep/b.txt", b"two"), ("empty/", b""))
    unpack(path, tmp_path / "out")
    assert (tmp_path / "out/top/a.txt").read_bytes() == b"one"
    assert (tmp_path / "out/top/deep/b.txt").read_bytes() == b"two"
    assert (tmp_path / "out/empty").is_dir()


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil", "..\\evil", "C:\\evil"])
def test_members_that_lead_outside(tmp_path: Path, name: str) -> None:
    path = make_zip(tmp_path / "a.zip", ("good", b""), (name, b"evil"))
    with pytest.raises(UserError, match=r"a\.zip: holds .*evil, which points outside"):
        unpack(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_links(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", (link("a"), b"/etc"), ("a/passwd", b"evil"))
    with pytest.raises(UserError, match="a is a link or a device"):
        unpack(path, tmp_path / "out")


def test_encrypted_members(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", ("secret", b"x"))
    content = bytearray(path.read_bytes())
    for signature, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.index(signature) + flags] |= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match="secret is encrypted"):
        unpack(path, tmp_path / "out")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_unknown_compression(tmp_path: Path, method: int) -> None:
    path = make_zip(tmp_path / "a.zip", ("odd", b"x"), method=method)
    with pytest.raises(UserError, match="odd is compressed by an unknown method"):
        unpack(path, tmp_path / "out")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("names", [("a", "a"), ("SHA256SUMS", "sha256sums")])
def test_two_members_of_one_name(tmp_path: Path, names: tuple[str, str]) -> None:
    path = make_zip(tmp_path / "a.zip", *((name, b"x") for name in names))
    with pytest.raises(UserError, match="twice"):
        unpack(path, tmp_path / "out")


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", *((f"{number}", bytes(2**20)) for number in range(4)))
    assert path.stat().st_size < 2**14
    with pytest.raises(UserError, match=r"unpacks to 0\.0 GiB, at most"):
        unpack(path, tmp_path / "out", largest=2**21)
    assert not (tmp_path / "out").exists()
    unpack(path, tmp_path / "out", largest=2**22)


def test_a_full_disk_is_known_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_zip(tmp_path / "a.zip", ("a", bytes(2**20)))
    monkeypatch.setattr(files.shutil, "disk_usage", lambda folder: SimpleNamespace(free=1000))
    with pytest.raises(UserError, match=r"out: needs 1\.0 MiB"):
        unpack(path, tmp_path / "out")


@pytest.mark.parametrize("keep", [0, 20, -30])
def test_torn_archives(tmp_path: Path, keep: int) -> None:
    path = make_zip(tmp_path / "a.zip", ("a", b"x" * 1000))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UserError, match=r"a\.zip: truncated, corrupt or not a zip"):
        unpack(path, tmp_path / "out")


def test_a_damaged_member_is_found_while_reading(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", ("a", b"x" * 1000), method=zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    content[200] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"a\.zip: truncated, corrupt"), open_archive(path) as archive:
        archive.read("a")


@pytest.mark.parametrize("error", [RuntimeError("dtype"), KeyError("weights"), ValueError("shape")])
def test_errors_of_the_block_are_not_blamed_on_the_archive(tmp_path: Path, error: Exception) -> None:
    path = make_zip(tmp_path / "a.zip", ("a", b"x"))
    with pytest.raises(type(error)) as raised, open_archive(path):
        raise error
    assert raised.value is error
