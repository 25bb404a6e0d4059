"""The sweep over thresholds and the F score."""

from __future__ import annotations

import numpy as np
import pytest

from custom.metrics.sweep import THRESHOLDS, f_score, sweep


@pytest.mark.filterwarnings("error")
def test_f_score_of_degenerate_counts_is_defined_and_quiet():
    counts = [(3, 1, 2), (0, 0, 0), (0, 2, 1), (0, 0, 5), (0, 5, 0), (np.nan, np.nan, np.nan)]
    np.testing.assert_allclose(f_score(counts), [2 * 3 / (2 * 3 + 1 + 2), 1, 0, 0, 0, 0], rtol=1e-15)


def test_equal_masks_are_measured_once():
    proposal = np.array([[0.0, 0.25, 0.25], [0.75, 1.0, 0.75]])
    measured = []

    def count(mask: np.ndarray) -> int:
        measured.append(mask)
        return np.count_nonzero(mask)

    expected = [np.count_nonzero(proposal > threshold) for threshold in THRESHOLDS]
    np.testing.assert_array_equal(sweep(count, proposal), expected)
    assert len(measured) == len(set(expected)) == 3
