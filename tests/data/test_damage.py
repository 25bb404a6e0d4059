"""Damaged files are read or refused in one line that names the file; what is read has the shape of the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from custom.data import GrayRule, count_pages, find_images, read_image, read_mask
from custom.errors import UserError

SHAPE = (37, 53)


def write(path: Path, seed: int) -> None:
    generator = np.random.default_rng(seed)
    pixels = generator.integers(0, 256, (2, *SHAPE), dtype=np.uint8)
    if path.suffix == ".tif":
        compression = (None, "zlib", "lzw", "packbits", "jpeg")[seed % 5]
        stack = pixels if seed % 2 else pixels.astype(np.uint16 if compression != "jpeg" else np.uint8)
        options = {"rowsperstrip": 8} if compression != "jpeg" else {}
        tifffile.imwrite(path, stack, photometric="minisblack", compression=compression, **options)
    else:
        Image.fromarray(pixels[0]).convert(("L", "RGB", "P")[seed % 3] if path.suffix != ".jpg" else "L").save(path)


@st.composite
def damage(draw: st.DrawFn) -> tuple[str, int, list[tuple[float, int]], float]:
    """Suffix, seed, bytes to change (place as a share of the file, new value), share of the file that is left."""
    changes = draw(st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), max_size=6))
    suffix = draw(st.sampled_from([".png", ".tif", ".tif", ".jpg", ".bmp"]))
    return suffix, draw(st.integers(0, 29)), changes, draw(st.sampled_from([1.0, 1.0, 0.99, 0.5, 0.1, 0.0]))


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damage())
def test_damage_is_found_or_harmless(tmp_path: Path, how: tuple[str, int, list[tuple[float, int]], float]) -> None:
    suffix, seed, changes, keep = how
    path = tmp_path / f"broken{suffix}"
    write(path, seed)
    content = bytearray(path.read_bytes())
    for place, value in changes:
        content[int(place * len(content))] = value
    path.write_bytes(content[: int(keep * len(content))])
    for read in (read_image, read_mask):
        arrays, message = [], f"{path}"
        try:
            arrays = [read(path, page) for page in range(min(count_pages(path), 3))]
        except UserError as error:
            message = str(error)
        assert str(path) in message
        assert "\n" not in message
        assert all(array.size for array in arrays)
        if read is read_image:
            assert all(np.isfinite(GrayRule()(array)).all() for array in arrays)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg", ".bmp"])
@pytest.mark.parametrize("keep", [0.9, 0.5, 0.05])
def test_a_cut_file_is_skipped_and_named(tmp_path: Path, suffix: str, keep: float) -> None:
    for name in ("whole", "cut"):
        write(tmp_path / f"{name}{suffix}", 3)
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(cut.read_bytes()[: int(keep * cut.stat().st_size)])
    found = find_images(tmp_path)
    assert {Path(str(item["image"])).stem for item in found.items} == {"whole"}
    assert [line.partition(":")[0] for line in found.failed] == [str(cut)]
