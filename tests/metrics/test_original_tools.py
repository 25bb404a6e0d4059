"""The values of the challenges' original tools, from fixtures that need no data set (see fixtures/README.md)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from custom.metrics import seg
from custom.metrics.pixel_error import pixel_error_of_counts
from custom.metrics.rand import rand_error_of_counts
from custom.metrics.second_protocol import v_of_scores
from custom.metrics.sweep import f_score
from custom.metrics.warping import warping_error_of_counts

FIXTURES = Path(__file__).parent / "fixtures"
PAIRS = json.loads((FIXTURES / "isbi_counts.json").read_text(encoding="utf-8"))["pairs"]
SEG = json.loads((FIXTURES / "seg.json").read_text(encoding="utf-8"))
PIXELS = 512 * 512  # of a section of ISBI 2012


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize(("measure", "of_counts"), [("pixel", pixel_error_of_counts), ("rand", rand_error_of_counts)])
def test_errors_of_counts(pair, measure, of_counts):
    expected = PAIRS[pair][measure]
    np.testing.assert_allclose(f_score(expected["counts"]), expected["f"], rtol=0, atol=1e-12)
    score = of_counts(np.array([expected["counts"]]))
    assert score.value == pytest.approx(expected["error"], abs=1e-12)
    assert score.threshold == expected["threshold"]


@pytest.mark.parametrize("pair", PAIRS)
def test_second_protocol(pair):
    v_rand, v_info = PAIRS[pair]["v_rand"], PAIRS[pair]["v_info"]
    np.testing.assert_allclose(f_score(v_rand["counts"]), v_rand["f"], rtol=0, atol=1e-12)
    for expected in (v_rand, v_info):
        score = v_of_scores(np.array([expected["f"]]))
        assert (score.value, score.threshold) == (expected["value"], expected["threshold"])


@pytest.mark.parametrize("pair", PAIRS)
def test_warping_error_of_counts(pair):
    warping, pixel = PAIRS[pair]["warping"], PAIRS[pair]["pixel"]
    # The tool stops at 0.9; what is counted at 1.0 is not looked at.
    errors = [*warping["counts"], [0, 0]]
    counts = [[*error, PIXELS, *count] for error, count in zip(errors, pixel["counts"], strict=True)]
    score = warping_error_of_counts(np.array([counts]))
    assert score.value == pytest.approx(warping["error"], abs=1e-15)
    assert score.threshold == warping["threshold"]


@pytest.mark.parametrize("case", SEG)
def test_seg(case):
    with np.load(FIXTURES / "seg.npz") as images:
        label, prediction = images[f"{case}/label"], images[f"{case}/prediction"]
    assert label.shape == (160, 160)
    assert seg(label, prediction).value == pytest.approx(SEG[case], abs=1e-12)
