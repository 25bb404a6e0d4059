"""Components labelled block by block are those of the whole plane, whatever the blocks are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from custom.blockwise import components
from custom.blockwise.components import components_in_blocks, windows
from custom.errors import UserError
from custom.transforms import ProbabilityToInstances


def in_blocks(probability: np.ndarray, block: int, rule: ProbabilityToInstances) -> np.ndarray:
    """The result of `components_in_blocks`, whose ids are checked to be 1 to the number of cells."""
    scratch, out = (np.zeros(probability.shape, np.uint32) for _ in range(2))
    count = components_in_blocks(probability, scratch, out, probability.shape, block, rule)
    np.testing.assert_array_equal(np.unique(out[out > 0]), np.arange(1, count + 1))
    return out


def assert_same_cells(one: np.ndarray, other: np.ndarray) -> None:
    """Equal up to the names of the cells."""
    np.testing.assert_array_equal(one > 0, other > 0)
    pairs = np.unique(np.stack([one.ravel(), other.ravel()]), axis=1)
    assert pairs.shape[1] == len(np.unique(one)) == len(np.unique(other))


@settings(deadline=None, max_examples=150)
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    block=st.integers(1, 41),
    smooth=st.sampled_from([0.0, 0.7, 1.5]),
    threshold=st.sampled_from([0.35, 0.5, 0.6]),
    min_size=st.integers(0, 12),
    grow=st.sampled_from([0, 0, 1, 3]),
)
def test_blocks_are_the_whole_plane(seed, size, block, smooth, threshold, min_size, grow):
    """Noise has cells of every form: spirals, rings in rings, diagonal contacts, specks in holes."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).random(size), smooth)
    low, high = noise.min(), noise.max()
    probability = ((noise - low) / (high - low) if high > low else noise).astype(np.float32)
    rule = ProbabilityToInstances(threshold, min_size, grow)
    assert_same_cells(in_blocks(probability, block, rule), rule(probability[None])[0])


def test_a_spiral_over_all_blocks_is_one_cell():
    image = np.zeros((23, 31))
    rows, columns = [0, 22], [0, 30]
    image[:, 0] = image[22] = image[:, 30] = image[0, 2:] = image[:20, 2] = image[19, 2:28] = 1
    found = in_blocks(image, 4, ProbabilityToInstances())
    assert found.max() == ndimage.label(image)[1] == 1
    assert found[rows[1], columns[1]] == found[5, 2] == 1


def test_a_hole_of_many_blocks_is_filled_and_a_hole_of_two_cells_is_not():
    image = np.zeros((20, 33))
    image[1:19, 1:15] = image[1:19, 18:32] = 1
    image[3:17, 3:13] = image[3:17, 20:30] = 0
    image[6:12, 22:28] = 1  # a cell inside the ring
    found = in_blocks(image, 5, ProbabilityToInstances())
    assert len(np.unique(found[1:19, 1:15])) == 1
    assert (found[4, 21], found[8, 24] > 0) == (0, True)


def test_windows_cover_a_plane_once():
    seen = np.zeros((7, 12), int)
    for rows, columns in windows(seen.shape, 5):
        seen[rows, columns] += 1
    assert (seen == 1).all()


def test_too_many_components(monkeypatch):
    monkeypatch.setattr(components, "MOST_CELLS", 3)
    with pytest.raises(UserError, match="more than 3 components"):
        in_blocks(np.eye(4, 5), 2, ProbabilityToInstances())
