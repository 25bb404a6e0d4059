from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from numpy.typing import NDArray

from custom.data.mirror import mirror_index, mirror_window
from custom.errors import UserError
from custom.transforms.sampling import BLOCK_PIXELS, Mode, Warp, _resample_arrays, _resample_tensor, resample

SHAPES = [(23, 31), (5, 4), (3, 40), (2, 2), (1, 9), (9, 1), (1, 1)]


def shift_warp(start: tuple[float, float], size: tuple[int, int]) -> Warp:
    """The upright window whose first pixel is `start`."""
    y, x = np.arange(size[0], dtype=float), np.arange(size[1], dtype=float)
    left = np.stack([y, np.ones_like(y)], axis=1)
    right = [np.stack([np.ones_like(x), start[0] + 0 * x]), np.stack([0 * x, start[1] + x])]
    return Warp(left, np.stack(right))


def wild_warp(shape: tuple[int, int], size: tuple[int, int] = (70, 90), seed: int = 0) -> Warp:
    """Random coordinates that reach several image sizes beyond the border."""
    rng = np.random.default_rng(seed)
    reach = np.array(shape)[:, None, None] * 3 + 20
    offset = rng.uniform(-reach, 2 * reach, (2, *size)).astype(np.float32)
    return Warp(np.zeros((size[0], 1)), np.zeros((2, 1, size[1])), offset)


def keys(t: NDArray, a: float = -0.75) -> NDArray:
    """Keys' cubic convolution kernel."""
    t = np.abs(t)
    near, far = (a + 2) * t**3 - (a + 3) * t**2 + 1, a * (t**3 - 5 * t**2 + 8 * t - 4)
    return np.where(t <= 1, near, np.where(t < 2, far, 0.0))


def naive(image: NDArray, coordinates: NDArray, mode: Mode) -> NDArray:
    """Sum over taps of kernel times mirrored pixel, in double precision, coordinates as given."""
    kernel = {"linear": lambda t: np.maximum(0, 1 - np.abs(t)), "cubic": keys}[mode]
    y, x = coordinates.astype(np.float64)
    rows, columns = np.floor(y).astype(int), np.floor(x).astype(int)
    total = np.zeros((len(image), *y.shape))
    for i in range(-1, 3):
        for j in range(-1, 3):
            taps = mirror_index(rows + i, image.shape[1]), mirror_index(columns + j, image.shape[2])
            total += kernel(y - rows - i) * kernel(x - columns - j) * image[:, taps[0], taps[1]]
    return total


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("mode", ["linear", "cubic"])
def test_equals_the_kernel_on_mirrored_pixels(shape: tuple[int, int], mode: Mode) -> None:
    image = np.random.default_rng(1).normal(size=(2, *shape)).astype(np.float32)
    warp = wild_warp(shape)
    assert warp.offset is not None
    np.testing.assert_allclose(resample(image, warp, mode), naive(image, warp.offset, mode), atol=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_nearest_picks_the_mirrored_pixel(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(1).integers(0, 10**6, (2, *shape)).astype(np.int32)
    warp = wild_warp(shape)
    y, x = np.rint(mirror_float(warp, shape)).astype(int)
    out = resample(image, warp, "nearest")
    assert out.dtype == np.int32
    np.testing.assert_array_equal(out, image[:, y, x])


def mirror_float(warp: Warp, shape: tuple[int, int]) -> NDArray:
    assert warp.offset is not None
    return np.stack([mirror_index(v.astype(np.float64), n) for v, n in zip(warp.offset, shape, strict=True)])


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("start", [(0, 0), (-40, 7), (-3, -200)])
@pytest.mark.parametrize("shape", SHAPES)
def test_whole_pixels_give_the_mirrored_window_bit_by_bit(
    shape: tuple[int, int], start: tuple[int, int], mode: Mode
) -> None:
    image = np.random.default_rng(2).normal(size=(2, *shape)).astype(np.float32)
    np.testing.assert_array_equal(
        resample(image, shift_warp(start, (41, 67)), mode), mirror_window(image, start, (41, 67))
    )


@pytest.mark.parametrize("mode", ["linear", "cubic"])
def test_equals_padding_by_numpy_then_sampling(mode: Mode) -> None:
    image = np.random.default_rng(3).normal(size=(1, 20, 33)).astype(np.float32)
    padded = np.pad(image, ((0, 0), (60, 60), (60, 60)), mode="reflect")
    warp = shift_warp((-20.25, -41.625), (61, 99))
    inside = shift_warp((39.75, 18.375), (61, 99))
    np.testing.assert_allclose(resample(image, warp, mode), resample(padded, inside, mode), rtol=0, atol=2e-6)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("mode", "tolerance"), [("nearest", 0), ("linear", 2e-5), ("cubic", 4e-5)])
def test_pytorch_path_equals_the_fast_path(shape: tuple[int, int], mode: Mode, tolerance: float) -> None:
    image = np.random.default_rng(4).random((2, *shape), dtype=np.float32)
    warp = wild_warp(shape)
    (fast,), device = _resample_arrays(warp, [image], [mode]), _resample_tensor(torch.from_numpy(image), warp, mode)
    np.testing.assert_allclose(device.numpy(), fast, rtol=0, atol=tolerance)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize(("mode", "tolerance"), [("nearest", 0), ("linear", 2e-5), ("cubic", 4e-5)])
def test_cuda_equals_the_fast_path(mode: Mode, tolerance: float) -> None:
    image = torch.rand(2, 23, 31)
    on_device = resample(MetaTensor(image.cuda(), meta={"name": "a"}), wild_warp((23, 31)), mode)
    assert on_device.is_cuda
    assert on_device.meta["name"] == "a"
    fast = resample(image, wild_warp((23, 31)), mode)
    np.testing.assert_allclose(on_device.cpu().numpy(), fast.numpy(), rtol=0, atol=tolerance)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64, np.bool_, np.float16, np.float64])
def test_nearest_keeps_any_dtype(dtype: type) -> None:
    image = (np.arange(5 * 7).reshape(1, 5, 7) % 3).astype(dtype)
    out = resample(image, shift_warp((-2, 1), (9, 4)), "nearest")
    assert out.dtype == dtype
    np.testing.assert_array_equal(out, mirror_window(image, (-2, 1), (9, 4)))


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_bfloat16_tensors(mode: Mode) -> None:
    image = torch.rand(2, 13, 17).bfloat16()
    out = resample(image, wild_warp((13, 17)), mode)
    assert out.dtype == (torch.bfloat16 if mode == "nearest" else torch.float32)
    expected = resample(image.float(), wild_warp((13, 17)), mode)
    torch.testing.assert_close(out.float(), expected, rtol=0, atol=4e-5)


def test_interpolation_of_whole_numbers_returns_float32() -> None:
    image = np.array([[[0, 1], [2, 3]]], dtype=np.uint8)
    out = resample(image, shift_warp((0.5, 0.5), (1, 1)), "linear")
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, 1.5)


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_images_beyond_the_limit_of_opencv(mode: Mode) -> None:
    image = np.random.default_rng(5).random((1, 3, 40_000), dtype=np.float32)
    for start in [(-5, -7), (0, 39_980), (0, 33_000)]:
        np.testing.assert_array_equal(
            resample(image, shift_warp(start, (11, 50)), mode), mirror_window(image, start, (11, 50))
        )


def test_a_window_across_too_many_pixels_is_refused() -> None:
    image = np.zeros((1, 2, 40_000), np.float32)
    with pytest.raises(UserError, match="at most 32766"):
        resample(image, Warp(np.ones((1, 1)), np.array([[[0.0, 0.0]], [[0.0, 39_000.0]]])), "linear")


def test_a_window_too_wide_is_refused() -> None:
    with pytest.raises(UserError, match="at most 32766"):
        resample(np.zeros((1, 5, 4), np.float32), shift_warp((0, 0), (1, 32_767)), "linear")


COUNT_THREADS = """
import numpy as np, cv2
from pathlib import Path
from custom.transforms import RandElasticGrid
cv2.setNumThreads(4)
transform, image = RandElasticGrid(572), np.zeros((1, 512, 512), np.float32)
before = len(list(Path("/proc/self/task").iterdir()))
transform(image)
print(len(list(Path("/proc/self/task").iterdir())) - before, cv2.getNumThreads())
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads as Linux lists them")
def test_starts_no_threads_and_leaves_the_setting_of_opencv() -> None:
    command = [sys.executable, "-c", COUNT_THREADS]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() == ["0", "4"]


def test_crop_is_the_centre_of_the_window_bit_by_bit() -> None:
    image = np.random.default_rng(6).normal(size=(1, 50, 60)).astype(np.float32)
    rng = np.random.default_rng(7)
    warp = Warp(rng.normal(size=(301, 5)), 20 * rng.normal(size=(2, 5, 205)), rng.normal(size=(2, 301, 205)))
    assert BLOCK_PIXELS < 301 * 205
    cropped = warp.crop((120, 105))
    assert cropped.size == (120, 105)
    whole = warp.coordinates((50, 60))[:, 90:210, 50:155]
    np.testing.assert_array_equal(cropped.coordinates((50, 60)), whole)
    np.testing.assert_array_equal(
        resample(image, cropped, "nearest"), resample(image, warp, "nearest")[:, 90:210, 50:155]
    )


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_metatensor_keeps_its_meta_data(mode: Mode) -> None:
    affine = torch.diag(torch.tensor([2.0, 3.0, 1.0, 1.0], dtype=torch.float64))
    image = MetaTensor(torch.rand(1, 6, 8), affine=affine, meta={"filename_or_obj": "a.png"})
    image.push_applied_operation({"class": "Earlier"})
    out = resample(image, shift_warp((-3, -3), (12, 14)), mode)
    assert isinstance(out, MetaTensor)
    assert out.meta["filename_or_obj"] == "a.png"
    assert torch.equal(out.affine, affine)
    assert out.applied_operations == image.applied_operations
    np.testing.assert_array_equal(out.numpy(), mirror_window(image.numpy(), (-3, -3), (12, 14)))


def test_types_agree() -> None:
    image = np.random.default_rng(8).random((3, 13, 17), dtype=np.float32)
    warp = wild_warp((13, 17))
    array, tensor = resample(image, warp, "cubic"), resample(torch.from_numpy(image), warp, "cubic")
    assert isinstance(array, np.ndarray)
    assert type(tensor) is torch.Tensor
    np.testing.assert_array_equal(array, tensor.numpy())
    strided = np.asfortranarray(image)
    np.testing.assert_array_equal(resample(strided, warp, "cubic"), array)
    np.testing.assert_array_equal(resample(strided, warp, "nearest"), resample(image, warp, "nearest"))
