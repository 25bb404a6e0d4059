"""Archives of data and of bundles: leading outside, exploding, encrypted, doubled, broken."""

from __future__ import annotations

import hashlib
import stat
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from custom.errors import UserError
from scripts.label_server.bundle import install_bundle

from . import material
from .calls import CALLS
from .judge import require_no_parts, require_nothing_in, require_refusal
from .part import Part
from .warm import Ending

NAMES = ("../evil", "/evil", "a/../../evil", "..\\evil", "C:\\evil", "C:evil", "a/../b/../../evil", "x\x00/../evil")
Change = Callable[[Path, int], None]


def _add(path: Path, name: str, content: bytes = b"x", mode: int = 0, method: int = zipfile.ZIP_DEFLATED) -> None:
    info = zipfile.ZipInfo(name)
    info.filename = name  # ZipInfo tidies it
    info.compress_type, info.external_attr = method, mode << 16
    with zipfile.ZipFile(path, "a") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a double name
        archive.writestr(info, content)


def _outside(path: Path, number: int) -> None:
    _add(path, NAMES[number % len(NAMES)])


def _link(path: Path, number: int) -> None:
    _add(path, "link", b"/etc/passwd", stat.S_IFLNK | 0o777)


def _device(path: Path, number: int) -> None:
    _add(path, "device", b"", stat.S_IFCHR | 0o666)


def _double(path: Path, number: int) -> None:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    name = names[number % len(names)]
    _add(path, name if number % 2 else name.upper())


def _unknown_method(path: Path, number: int) -> None:
    _add(path, "odd", b"x" * 99, method=(zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2)[number % 2])


def _patched(path: Path, number: int, offset: int, value: bytes) -> None:
    """Bytes changed in the directory entry of one member."""
    content = bytearray(path.read_bytes())
    places = [at for at in range(len(content)) if content[at : at + 4] == b"PK\x01\x02"]
    at = places[number % len(places)] + offset
    content[at : at + len(value)] = value
    path.write_bytes(content)


def _encrypted(path: Path, number: int) -> None:
    _patched(path, number, 8, b"\x01\x00")


def _bomb(path: Path, number: int) -> None:
    for member in range(9):
        _add(path, f"bomb{member}")
        _patched(path, -1, 24, b"\xff\xff\xff\xfe")  # declares 4 GiB


def _smaller_than_declared(path: Path, number: int) -> None:
    _patched(path, number, 24, (10**6).to_bytes(4, "little"))


def _wrong_checksum(path: Path, number: int) -> None:
    _patched(path, number, 16, b"\1\2\3\4")


def _cut_off(path: Path, number: int) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * (1 + number % 9) // 10])


def _bytes_changed(path: Path, number: int) -> None:
    content = bytearray(path.read_bytes())
    for place in np.random.default_rng(number).integers(0, len(content), 5):
        content[place] ^= 0x55
    path.write_bytes(content)


def _member_missing(path: Path, number: int) -> None:
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    del contents[sorted(contents)[number % len(contents)]]
    material.write_zip(path, contents)


def _other_file(path: Path, number: int) -> None:
    with zipfile.ZipFile(path) as archive:
        top = archive.namelist()[0].partition("/")[0]
    _add(path, f"{top}/else.txt")


def _directory(path: Path, number: int) -> None:
    path.unlink()
    path.mkdir()


CHANGES: dict[str, Change] = {
    "intact": lambda path, number: None,
    "leading outside": _outside,
    "with a link": _link,
    "with a device": _device,
    "a member twice": _double,
    "unknown compression": _unknown_method,
    "encrypted": _encrypted,
    "a bomb": _bomb,
    "smaller than declared": _smaller_than_declared,
    "wrong checksum": _wrong_checksum,
    "cut off": _cut_off,
    "bytes changed": _bytes_changed,
    "a member missing": _member_missing,
    "with another file": _other_file,
    "with a long name": lambda path, number: _add(path, "x" * 300),
    "empty": lambda path, number: path.write_bytes(b""),
    "no zip": lambda path, number: path.write_bytes(b"x" * 1000),
    "without members": lambda path, number: path.write_bytes(b"PK\x05\x06" + bytes(18)),
    "a directory": _directory,
}
MAY_PASS = ("intact", "with another file", "bytes changed", "a member missing", "smaller than declared")


@dataclass(frozen=True)
class Zip:
    """An archive and what is done to it."""

    source: str
    change: str
    number: int

    def __str__(self) -> str:
        return f"{self.source}, {self.change}"

    def write(self, folder: Path, contents: dict[str, bytes]) -> Path:
        folder.mkdir()
        path = material.write_zip(folder / "source.zip", contents)
        CHANGES[self.change](path, self.number)
        return path


def check_data(case: Zip, folder: Path) -> None:
    """The data set is made from the whole archive, or nothing is."""
    source = material.ctc_folder() if case.source == "dic-hela" else material.isbi_folder()
    path, output = case.write(folder / "in", material.members(source)), folder / "deep" / "out"
    ending = CALLS[f"prepare_data {case.source}"].run(output, source=path)
    _require_nothing_outside(folder)
    if ending.code != 0:
        require_refusal(ending, path)
        require_nothing_in(folder / "deep")
        assert case.change not in ("intact", "with another file"), str(ending)
        return
    assert case.change in MAY_PASS, f"accepted: {case}"
    for file in output.rglob("image/*.png"):
        number = int(file.stem.removeprefix("t")) + (100 if "test" in file.parts else 0)
        np.testing.assert_array_equal(np.asarray(Image.open(file)), material.image(number))


def check_bundle(case: Zip, folder: Path) -> None:
    """Only what the checksums of a bundle list is installed."""
    listed = {"configs/inference.json": b"{}", "models/model.pt": b"weights", "docs/README.md": b"text"}
    sums = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in listed.items())
    contents = {f"tiny/{name}": content for name, content in {**listed, "SHA256SUMS": sums.encode()}.items()}
    path, app = case.write(folder / "in", contents), folder / "deep" / "app"
    refusal = ""
    try:
        install_bundle(str(path), app)
    except UserError as error:
        refusal = f"error: {error}"
    _require_nothing_outside(folder)
    if refusal:
        require_refusal(Ending(("label_server", str(path)), 2, "", refusal), path)
        require_nothing_in(app)
    assert bool(refusal) == (case.change not in MAY_PASS) or case.change in MAY_PASS[2:], f"{case}: {refusal}"
    for file in app.rglob("*.*"):
        assert file.name == "SHA256SUMS" or file.read_bytes() in listed.values(), f"{file}: not listed"


def _require_nothing_outside(folder: Path) -> None:
    require_no_parts(folder)
    evil = [*folder.rglob("*evil*"), *folder.rglob("link"), *folder.rglob("device"), *Path("/").glob("evil*")]
    assert not evil, f"written: {evil}"


def _zips(*sources: str) -> st.SearchStrategy[Zip]:
    return st.builds(Zip, st.sampled_from(sources), st.sampled_from(sorted(CHANGES)), st.integers(0, 999))


PARTS = [
    Part("prepare_data", "archives", _zips("dic-hela", "isbi2012"), check_data, quick=20),
    Part("label_server", "zips of bundles", _zips("bundle"), check_bundle, quick=30),
]
