"""Gray values of slices read in pieces equal those of whole images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr

from custom.blockwise.order_statistics import order_statistics
from custom.data import GrayRule, to_gray
from scripts.segment_volume import source
from scripts.segment_volume.gray import gray_slice
from scripts.segment_volume.source import Volume

DTYPES = [
    "bool",
    "uint8",
    "int8",
    "uint16",
    ">u2",
    "int16",
    "uint32",
    "int32",
    "int64",
    "float16",
    "float32",
    "float64",
]


def noise(dtype: str, shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Values over the whole range of integers, and floats of both signs and many magnitudes."""
    generator = np.random.default_rng(seed)
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return (generator.normal(size=shape) * 10 ** generator.uniform(-3, 3, shape)).astype(kind)
    if kind.kind == "b":
        return generator.random(shape) < 0.3
    return generator.integers(
        np.iinfo(kind).min, np.iinfo(kind).max, shape, dtype=kind.newbyteorder("="), endpoint=True
    ).astype(kind)


@pytest.mark.parametrize("dtype", DTYPES)
def test_order_statistics_are_those_of_sorting(dtype):
    values = noise(dtype, (37, 29)).astype(np.dtype(dtype).newbyteorder("="))
    ranks = [0, 1, 10, 536, 537, 1000, 1072]
    found = order_statistics(lambda: np.array_split(values, 5), values.dtype, ranks)
    np.testing.assert_array_equal(np.array(found), np.sort(values, axis=None)[ranks])


def volume_of(array: np.ndarray, folder: Path, chunks: tuple[int, int, int] = (2, 16, 9)) -> Volume:
    stored = zarr.create_array(folder / "volume.zarr", shape=array.shape, chunks=chunks, dtype=array.dtype)
    stored[:] = array
    return Volume(folder / "volume.zarr")


@pytest.mark.parametrize("dtype", [dtype for dtype in DTYPES if dtype not in ("bool", ">u2")])
def test_windows_of_a_slice_have_its_gray_values(dtype, tmp_path, monkeypatch):
    stack = noise(dtype, (3, 53, 71))
    volume = volume_of(stack, tmp_path)
    monkeypatch.setattr(Volume, "bands", lambda self, z: np.array_split(stack[z], 4))
    for z in range(3):
        window = gray_slice(volume, z, GrayRule())[0, :, slice(5, 40), slice(11, 60)]
        np.testing.assert_array_equal(window[0], to_gray(stack[z])[5:40, 11:60])


@pytest.mark.parametrize("size", [(1, 1), (1, 3), (2, 251), (25, 20), (25, 21), (77, 13), (125, 12)])
def test_ranks_are_numpys_nearest(size, tmp_path):
    stack = noise("uint16", (1, *size))
    volume = volume_of(stack, tmp_path)
    window = gray_slice(volume, 0, GrayRule())[0, :, slice(0, size[0]), slice(0, size[1])]
    np.testing.assert_array_equal(window[0], to_gray(stack[0]))


def test_constant_slice_and_single_bright_pixel(tmp_path):
    stack = np.full((2, 60, 40), 7, np.uint8)
    stack[1, 3, 4] = 200
    volume = volume_of(stack, tmp_path)
    for z in range(2):
        window = gray_slice(volume, z, GrayRule())[0, :, slice(0, 60), slice(0, 40)]
        np.testing.assert_array_equal(window[0], to_gray(stack[z]))


def test_a_slice_of_low_contrast_is_scaled_as_the_training_images_were(tmp_path):
    stack = np.random.default_rng(1).integers(126, 131, (1, 53, 71), np.uint8)
    rule = GrayRule(contrast=0.4)
    with pytest.warns(UserWarning, match=r"volume.zarr, slice 0: has 1.6% .* trained on 40.0%"):
        window = gray_slice(volume_of(stack, tmp_path), 0, rule)[0, :, slice(0, 53), slice(0, 71)]
    with pytest.warns(UserWarning, match="trained on"):
        np.testing.assert_array_equal(window[0], rule(stack[0]))


def test_bands_are_the_slice(tmp_path):
    stack = noise("uint8", (3, 53, 71))
    volume = volume_of(stack, tmp_path)
    np.testing.assert_array_equal(np.concatenate(list(volume.bands(2))), stack[2])


def test_chunks_larger_than_memory_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(source, "LARGEST_CHUNK", 1000)
    with pytest.raises(source.UserError, match="store it in smaller ones"):
        volume_of(noise("uint16", (2, 53, 71)), tmp_path, (2, 53, 71))


def test_kept_percentiles_are_not_measured_again(tmp_path, monkeypatch):
    stack = noise("uint16", (2, 53, 71))
    volume, folder = volume_of(stack, tmp_path), tmp_path / "kept"
    gray_slice(volume, 1, GrayRule(), folder)
    monkeypatch.setattr(Volume, "bands", None)
    window = gray_slice(volume, 1, GrayRule(), folder)[0, :, slice(5, 40), slice(11, 60)]
    np.testing.assert_array_equal(window[0], to_gray(stack[1])[5:40, 11:60])
    assert window.dtype == np.float32
