"""Equal images are recognised by their pixels."""

from __future__ import annotations

import numpy as np
import pytest

from custom.data.leaks import content_of


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (4, 7)])
def test_constant_images_have_no_content(shape: tuple[int, int]) -> None:
    assert content_of(np.full(shape, 3, np.uint8)) is None


def test_content_depends_on_values_shape_and_dtype_alone() -> None:
    image = np.arange(12, dtype=np.uint16).reshape(3, 4)
    assert content_of(image) == content_of(image.astype(">u2")) == content_of(np.asfortranarray(image))
    others = [image.T, image.reshape(2, 6), image.astype(np.int32), image + np.uint16(1)]
    assert len({content_of(other) for other in [image, *others]}) == 5
