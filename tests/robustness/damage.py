"""What happens to files: cut off, overwritten, emptied, exchanged, lied about."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

SIZES = ((2**30, 9), (9, 2**30), (10**6, 10**6))


def _intact(path: Path, generator: np.random.Generator) -> None:
    pass


def _cut_off(path: Path, generator: np.random.Generator) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * generator.choice([0.99, 0.9, 0.5, 0.1, 0.01]))])


def _last_byte_missing(path: Path, generator: np.random.Generator) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _bytes_changed(path: Path, generator: np.random.Generator) -> None:
    content = bytearray(path.read_bytes())
    for place in generator.integers(0, len(content), int(generator.integers(1, 7))):
        content[place] = generator.integers(256)
    path.write_bytes(content)


def _header_changed(path: Path, generator: np.random.Generator) -> None:
    content = bytearray(path.read_bytes())
    content[int(generator.integers(0, min(64, len(content))))] = generator.integers(256)
    path.write_bytes(content)


def _zeros_in_the_middle(path: Path, generator: np.random.Generator) -> None:
    content = bytearray(path.read_bytes())
    start, count = len(content) // 2, max(1, len(content) // 6)
    content[start : start + count] = bytes(count)
    path.write_bytes(content)


def _middle_missing(path: Path, generator: np.random.Generator) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] + content[len(content) * 2 // 3 :])


def _empty(path: Path, generator: np.random.Generator) -> None:
    path.write_bytes(b"")


def _text(path: Path, generator: np.random.Generator) -> None:
    path.write_text("<html><body>404 not found</body></html>\n")


def _noise(path: Path, generator: np.random.Generator) -> None:
    path.write_bytes(generator.bytes(500))


def _directory(path: Path, generator: np.random.Generator) -> None:
    path.unlink()
    path.mkdir()


def _link_to_itself(path: Path, generator: np.random.Generator) -> None:
    path.unlink()
    path.symlink_to(path.name)


def _link_to_nothing(path: Path, generator: np.random.Generator) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def _other_format(path: Path, generator: np.random.Generator) -> None:
    """Another format under this suffix."""
    pages = [Image.fromarray(generator.integers(0, 256, (17, 30), dtype=np.uint8)) for _ in range(2)]
    if path.suffix.lower() in (".tif", ".tiff"):
        pages[0].save(path, format="PNG")
    else:
        kind = generator.choice(["TIFF", "GIF", "WEBP"])
        pages[0].save(path, format=kind, save_all=True, append_images=pages[1:])


def _huge(path: Path, generator: np.random.Generator) -> None:
    """Claims to have 2^30 rows or columns, or a million of both."""
    content = bytearray(path.read_bytes())
    if content[:4] == b"\x89PNG":
        content[16:24] = struct.pack(">II", *SIZES[generator.integers(3)])
        content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    elif content[:2] == b"BM":
        content[18:26] = struct.pack("<ii", *SIZES[generator.integers(3)])
    elif content[:2] == b"\xff\xd8":
        place = max(content.find(b"\xff\xc0"), content.find(b"\xff\xc2"))
        content[place + 5 : place + 9] = b"\xff\xff\xff\xff"
    else:
        with tifffile.TiffFile(path) as file:
            tag = file.pages[0].tags[257 if generator.integers(2) else 256]
            size = {3: 2, 4: 4}[int(tag.dtype)]
            content[tag.valueoffset : tag.valueoffset + size] = b"\xff" * (size - 1) + b"\x3f"
    path.write_bytes(content)


def _strips_missing(path: Path, generator: np.random.Generator) -> None:
    """Strips of a TIFF that are not there, by length or by place; other formats lose bytes."""
    if path.suffix.lower() not in (".tif", ".tiff"):
        _middle_missing(path, generator)
        return
    with tifffile.TiffFile(path) as file:
        tags = file.pages[0].tags
        tag = [tags[code] for code in (273, 279, 324, 325) if code in tags][int(generator.integers(2))]
    size = {3: 2, 4: 4, 16: 8}[int(tag.dtype)]
    content = bytearray(path.read_bytes())
    missing = -(-tag.count // 2)
    content[tag.valueoffset : tag.valueoffset + missing * size] = bytes(missing * size)
    path.write_bytes(content)


DAMAGE: dict[str, Callable[[Path, np.random.Generator], None]] = {
    "intact": _intact,
    "cut off": _cut_off,
    "last byte missing": _last_byte_missing,
    "bytes changed": _bytes_changed,
    "header changed": _header_changed,
    "zeros in the middle": _zeros_in_the_middle,
    "middle missing": _middle_missing,
    "empty": _empty,
    "text": _text,
    "noise": _noise,
    "a directory": _directory,
    "a link to itself": _link_to_itself,
    "a link to nothing": _link_to_nothing,
    "another format": _other_format,
    "huge by its header": _huge,
    "strips missing": _strips_missing,
}
