"""Rand pairs and information of random label images."""

from __future__ import annotations

import numpy as np
import pytest

from custom.metrics.rand import rand_pairs
from custom.metrics.second_protocol import information_f


@pytest.fixture
def images():
    """Objects and segments (12, 9), 0 among both."""
    random = np.random.RandomState(4)
    return tuple(np.kron(random.randint(0, 4, (4, 3)), np.ones((3, 3), int)) for _ in range(2))


def test_numbers_with_gaps_change_nothing(images):
    truth, segments = images
    names = np.array([0, 5, 2, 9])
    assert rand_pairs(names[truth], names[::-1].copy()[3 - segments]).tolist() == rand_pairs(truth, segments).tolist()
    expected = information_f(truth, segments)
    assert 0 < expected < 1
    assert information_f(names[truth], names[segments]) == pytest.approx(expected, abs=1e-12)
    assert information_f(truth, names[segments]) == pytest.approx(expected, abs=1e-12)


def test_information_of_known_cases():
    truth = np.repeat([[1, 2]], 3, axis=0).repeat(4, axis=1)
    assert information_f(truth, truth) == pytest.approx(1)
    assert information_f(truth, np.ones_like(truth)) == 0  # one segment
    assert information_f(np.ones_like(truth), truth) == 0  # one object
    assert information_f(np.zeros_like(truth), truth) == 0
    quarters = truth * 2 + (np.arange(8) % 4 > 1)
    assert information_f(truth, quarters) == pytest.approx(
        2 * 1 * 0.5 / (1 + 0.5)
    )  # all of H(truth), half of H(segments)
