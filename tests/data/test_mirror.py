from __future__ import annotations

import numpy as np
import pytest
import torch

from custom.data.mirror import mirror_index, mirror_window
from custom.errors import UserError


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_index_equals_numpy_reflect_at_any_distance(size: int) -> None:
    reach = 40
    padded = np.pad(np.arange(size), reach, mode="reflect")
    np.testing.assert_array_equal(mirror_index(np.arange(-reach, size + reach), size), padded)


def test_index_keeps_shape_and_dtype() -> None:
    index = np.array([[-1, 5], [99, 0]], dtype=np.int32)
    mirrored = mirror_index(index, 5)
    assert mirrored.dtype == np.int32
    np.testing.assert_array_equal(mirrored, [[1, 3], [3, 0]])
    np.testing.assert_allclose(mirror_index(np.array([-0.25, 4.5]), 5), [0.25, 3.5])


@pytest.mark.parametrize("start", [(-5, -40), (0, 0), (3, 2), (30, 31)])
def test_window_equals_pad_then_crop(start: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 255, (2, 6, 9)).astype(np.uint8)
    reach, size = 60, (13, 17)
    padded = np.pad(image, ((0, 0), (reach, reach), (reach, reach)), mode="reflect")
    rows, columns = (slice(reach + s, reach + s + n) for s, n in zip(start, size, strict=True))
    window = mirror_window(image, start, size)
    assert window.dtype == np.uint8
    np.testing.assert_array_equal(window, padded[:, rows, columns])


def test_window_of_a_tensor_equals_window_of_an_array() -> None:
    image = np.random.default_rng(1).normal(size=(2, 3, 5, 8)).astype(np.float32)
    window = mirror_window(torch.from_numpy(image), (-7, 2), (20, 11))
    assert isinstance(window, torch.Tensor)
    np.testing.assert_array_equal(window.numpy(), mirror_window(image, (-7, 2), (20, 11)))


def test_window_does_not_share_memory() -> None:
    image = np.zeros((1, 4, 5))
    mirror_window(image, (0, 0), (4, 5))[...] = 1
    assert not image.any()


def test_bad_input_is_named() -> None:
    with pytest.raises(UserError, match="size is 0"):
        mirror_index(np.arange(3), 0)
    with pytest.raises(UserError, match=r"shape \(4,\)"):
        mirror_window(np.zeros(4), (0, 0), (2, 2))
