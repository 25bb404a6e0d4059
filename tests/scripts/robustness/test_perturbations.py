from __future__ import annotations

import numpy as np
import pytest

from scripts.robustness.perturbations import (
    PERTURBATIONS,
    STRENGTHS,
    Perturbation,
    illuminate,
    magnify,
    magnify_label,
)

EACH = pytest.mark.parametrize("perturbation", PERTURBATIONS, ids=lambda p: p.name)


def picture() -> np.ndarray:
    y, x = np.indices((60, 85))
    waves = 0.5 + 0.4 * np.sin(y / 4) * np.cos(x / 5)
    image = (waves + np.random.RandomState(0).normal(0, 0.02, waves.shape)).clip(0, 1).astype(np.float32)
    return np.stack([image, image[::-1]])


def change(perturbation: Perturbation, strength: float) -> np.ndarray:
    return perturbation.apply(picture(), strength, np.random.RandomState(1))


@EACH
def test_a_stronger_change_changes_more(perturbation):
    assert len(perturbation.strengths) == STRENGTHS
    if perturbation.magnifies:
        distances = [abs(np.log(strength)) for strength in perturbation.strengths]
    else:
        distances = [float(np.abs(change(perturbation, s) - picture()).mean()) for s in perturbation.strengths]
    assert (np.diff(distances) > 0).all()
    assert distances[0] > 0


@EACH
def test_a_seed_repeats_and_the_picture_stays(perturbation):
    before = picture()
    first, second = (perturbation.apply(before, perturbation.strengths[2], np.random.RandomState(4)) for _ in "ab")
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(before, picture())
    assert first.dtype == np.float32


@pytest.mark.parametrize("perturbation", [p for p in PERTURBATIONS if p.name != "noise"], ids=lambda p: p.name)
def test_channels_are_changed_alike_and_do_not_mix(perturbation):
    both = change(perturbation, perturbation.strengths[2])
    for channel, changed in zip(picture(), both, strict=True):
        alone = perturbation.apply(channel[None], perturbation.strengths[2], np.random.RandomState(1))
        np.testing.assert_allclose(changed, alone[0], atol=1e-6)


@pytest.mark.parametrize("factor", [0.5, 0.74, 1.35])
def test_image_and_label_are_magnified_alike(factor):
    label = np.zeros((60, 85), np.int32)
    label[20:41, 30:60] = 7
    (image,) = magnify((label > 0).astype(np.float32)[None], factor, np.random.RandomState(0))
    found = magnify_label(label, factor)
    assert found.shape == image.shape
    assert set(np.unique(found)) == {0, 7}
    assert np.mean((image > 0.5) == (found > 0)) > 0.98


def test_light_falls_off_from_side_to_side_and_keeps_its_mean():
    found = illuminate(np.full((2, 40, 61), 0.5, np.float32), 0.3, np.random.RandomState(2))
    np.testing.assert_array_equal(*found)
    assert found.mean() == pytest.approx(0.5, abs=1e-3)
    assert found.max() == pytest.approx(0.65, abs=1e-3)
    assert found.min() == pytest.approx(0.35, abs=1e-3)
