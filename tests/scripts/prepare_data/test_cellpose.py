"""`_seg.npy` of Cellpose: read like NumPy would, without running what is in it."""

from __future__ import annotations

import pickle
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from custom.data import LoadMicroscopyd, write_image
from custom.errors import UserError
from scripts.prepare_data.cellpose import read_cells

from .common import SHAPE, prepare, random_pixels

NUMBERS = np.random.default_rng(1).integers(0, 9, SHAPE).astype(np.uint16)


def saved(path: Path, masks: Any, **more: Any) -> Path:
    """A file as Cellpose's own `masks_flows_to_seg` and its window save it."""
    content = {
        "outlines": np.zeros(SHAPE, np.uint16),
        "colors": np.zeros((3, 3), np.uint8),
        "masks": masks,
        "chan_choose": [0, 0],
        "ismanual": np.zeros(9, bool),
        "filename": "C:\\images\\a.tif",
        "flows": [np.zeros((1, *SHAPE, 3), np.uint8), [], np.zeros((3, *SHAPE), np.float32)],
        "manual_changes": [],
        "model_path": 0,
        "normalize_params": {"percentile": [1.0, 99.0], "invert": False},
        "restore": None,
        "ratio": np.float64(1.0),
        "diameter": np.nan,
        **more,
    }
    np.save(path, content)  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize(
    "masks",
    [
        NUMBERS,
        NUMBERS.astype(np.uint32),
        NUMBERS.astype(">i4"),
        np.asfortranarray(NUMBERS),
        NUMBERS[:, ::2],
        NUMBERS > 3,
        np.stack([NUMBERS, NUMBERS[::-1]]),
    ],
)
def test_it_equals_what_numpy_reads(tmp_path: Path, masks: NDArray) -> None:
    path = saved(tmp_path / "a_seg.npy", masks)
    trusted = np.load(path, allow_pickle=True).item()["masks"]
    np.testing.assert_array_equal(read_cells(path), trusted)


def test_paths_and_scalars_do_not_matter(tmp_path: Path) -> None:
    path = saved(tmp_path / "a_seg.npy", NUMBERS, filename=Path("a.tif"), est_diam=np.float32(3), x=np.array(["a"]))
    np.testing.assert_array_equal(read_cells(path), NUMBERS)


def test_a_plain_array(tmp_path: Path) -> None:
    np.save(tmp_path / "a_seg.npy", NUMBERS)
    np.testing.assert_array_equal(read_cells(tmp_path / "a_seg.npy"), NUMBERS)


class Malicious:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.target,)


class Evaluated(Malicious):
    def __reduce__(self) -> tuple[Any, ...]:
        return eval, (f"open({str(self.target)!r}, 'w')",)


@pytest.mark.parametrize("kind", [Malicious, Evaluated])
@pytest.mark.parametrize("place", ["masks", "filename", "flows"])
def test_code_is_refused_and_not_run(tmp_path: Path, kind: type[Malicious], place: str) -> None:
    target = tmp_path / "ran"
    path = saved(tmp_path / "a_seg.npy", NUMBERS, **({} if place == "masks" else {place: [kind(target)]}))
    if place == "masks":
        path = saved(path, kind(target))
    with pytest.raises(UserError, match="a_seg.npy: asks for .*, which no file of Cellpose does"):
        read_cells(path)
    assert not target.exists()
    pickle.loads(pickle.dumps(kind(target)))  # it would have run
    assert target.exists()


@pytest.mark.parametrize("masks", [NUMBERS / 2, np.zeros((0, 4), int), np.zeros((2, 2, 2, 2), int), "none", None])
def test_what_is_no_mask(tmp_path: Path, masks: Any) -> None:
    with pytest.raises(UserError, match="a_seg.npy: .*save the masks as PNG or TIFF in Cellpose"):
        read_cells(saved(tmp_path / "a_seg.npy", masks))


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.binary(min_size=1, max_size=8))
def test_damage(tmp_path_factory: pytest.TempPathFactory, place: int, damage: bytes) -> None:
    path = saved(tmp_path_factory.mktemp("seg") / "a_seg.npy", NUMBERS)
    content = bytearray(path.read_bytes())
    place %= len(content)
    content[place : place + len(damage)] = damage
    path.write_bytes(content[: len(content) if place % 2 else place])
    with suppress(UserError):  # and no other exception
        assert read_cells(path).ndim in (2, 3)


def test_as_a_data_set(tmp_path: Path) -> None:
    own = tmp_path / "own"
    for name in ("ape", "bee"):
        write_image(own / f"{name}.png", random_pixels())
        saved(own / f"{name}_seg.npy", NUMBERS)
    dataset = prepare("folder", "--source", own, "--output", tmp_path / "out")
    for item in dataset.training + dataset.validation:
        np.testing.assert_array_equal(LoadMicroscopyd()(item)["instance"][0], NUMBERS)


def test_pages_of_a_stack(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    tifffile.imwrite(own / "s.tif", random_pixels(3, *SHAPE), photometric="minisblack")
    saved(own / "s_seg.npy", np.stack([NUMBERS, NUMBERS // 2, NUMBERS % 2]))
    dataset = prepare("folder", "--source", own, "--output", tmp_path / "out")
    (last,) = dataset.validation
    np.testing.assert_array_equal(LoadMicroscopyd()(last)["instance"][0], NUMBERS % 2)
