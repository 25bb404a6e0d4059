from __future__ import annotations

import json

import numpy as np
import pytest

from custom.data.gray import GrayRule, GrayRules
from custom.transforms import ProbabilityToInstances
from scripts.held_out import Example
from scripts.robustness.measure import Judge, Shift, measure, to_markdown, write_report
from scripts.robustness.perturbations import PERTURBATIONS, Perturbation

BY_NAME = {p.name: p for p in PERTURBATIONS}


def example(kind: str) -> Example:
    """Two bright cells on dark ground."""
    instances = np.zeros((70, 95), np.int32)
    instances[10:40, 10:45] = 1
    instances[30:60, 55:85] = 2
    pixels = np.where(instances > 0, 200, 40).astype(np.uint8)
    label = (instances > 0).astype(np.uint8)
    return Example("cells", pixels, label, instances if kind == "instances" else None)


def judge() -> Judge:
    """A model that takes bright pixels for cells."""
    return Judge(lambda gray: gray, GrayRule().planes, ProbabilityToInstances())


def of_classes() -> Judge:
    """A model of two channels and three classes: the first channel shows class 1, the second class 2."""

    def predict(gray):
        scores = np.stack([np.full(gray.shape[1:], 0.5, np.float32), *gray])
        return scores / scores.sum(axis=0)

    return Judge(predict, GrayRules((GrayRule(), GrayRule())).planes, ProbabilityToInstances())


def test_channels_and_classes():
    label = np.zeros((70, 95), np.uint8)
    label[10:40, 10:45], label[30:60, 55:85], label[:5] = 1, 2, 255
    planes = np.stack([label == 1, label == 2], axis=-1)
    pixels = np.where(planes, [200, 4000], [40, 100]).astype(np.uint16)
    examples = [Example("cells", pixels, label, None)]
    assert of_classes().score(examples, None) == 1
    assert of_classes().score(examples, BY_NAME["larger"], 1.5) > 0.93
    for name in ("blur", "noise", "darker", "illumination", "contrast", "JPEG"):
        perturbation = BY_NAME[name]
        assert 0.5 < of_classes().score(examples, perturbation, perturbation.strengths[0]) <= 1
    swapped = [Example("cells", pixels[..., ::-1], label, None)]
    assert of_classes().score(swapped, None) < 0.6


@pytest.mark.parametrize("kind", ["instances", "classes"])
def test_the_unchanged_image_is_perfect_and_magnification_moves_the_label_too(kind):
    examples = [example(kind)] * 2
    assert judge().score(examples, None) == 1
    assert judge().score(examples, BY_NAME["larger"], 1.5) > 0.93
    assert judge().score(examples, BY_NAME["smaller"], 0.67) > 0.93


@pytest.mark.parametrize("kind", ["instances", "classes"])
def test_a_change_that_harms_costs_score(kind):
    inverted = Perturbation("inverted", "", (1, 1, 1, 1, 1), lambda image, strength, random: 1 - image)
    assert judge().score([example(kind)], inverted, 1) < 0.6


def test_each_image_has_noise_of_its_own_and_the_same_again():
    """Otherwise a model would be judged by one pattern, or its scores would depend on what was tried before."""
    seen: list[np.ndarray] = []
    judge = Judge(lambda gray: seen.append(gray) or gray, GrayRule().planes, ProbabilityToInstances())
    for _ in range(2):
        judge.score([example("classes")] * 2, BY_NAME["noise"], 0.2)
    assert not np.allclose(seen[0], seen[1], atol=0.1)
    np.testing.assert_array_equal(seen[:2], seen[2:])


def test_ignored_pixels_do_not_count():
    one = example("instances")
    ignored = Example("cells", one.pixels, one.label, np.where(one.instances == 2, -1, one.instances))
    assert judge().score([ignored], None) == 1


def test_report(tmp_path):
    plain, shifts = measure(judge(), [example("instances")], [BY_NAME["darker"], BY_NAME["blur"]])
    write_report("SEG", plain, shifts, tmp_path)
    content = json.loads((tmp_path / "robustness.json").read_text())
    assert content["unchanged"] == 1
    assert content["perturbations"]["blur"]["scores"] == list(shifts[1].scores)
    assert (tmp_path / "robustness.png").read_bytes().startswith(b"\x89PNG")


def test_the_middle_strength_is_marked_where_it_loses_too_much():
    rows = to_markdown("SEG", 0.9, [Shift(BY_NAME["blur"], (0.9, 0.85, 0.8, 0.5, 0.4))]).splitlines()
    assert "**0.8000**" in rows[-1]
    assert "**" not in to_markdown("SEG", 0.9, [Shift(BY_NAME["blur"], (0.9, 0.85, 0.82, 0.5, 0.4))]).splitlines()[-1]
