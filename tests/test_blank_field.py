"""A field without cells stays a field without cells."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from custom import Segmenter


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_noise_of_one_gray_level_gives_no_hela_cells(tmp_path, dtype):
    noise = np.random.default_rng(0).normal(128, 1, (200, 260))
    Image.fromarray(np.round(noise * (1 if dtype == "uint8" else 100)).astype(dtype)).save(tmp_path / "blank.png")
    segmenter = Segmenter("dic_hela")
    (gray,) = segmenter.model.gray_values_by_channel()
    trained = rf"blank\.png: has .* the model was trained on {gray.contrast:.1%}; not stretched"
    with pytest.warns(UserWarning, match=trained):
        assert segmenter(tmp_path / "blank.png").instances.max() == 0
