"""The ISBI 2012 measures against the values of the original Java tools."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from custom import metrics
from custom.metrics.pixel_error import pixel_counts
from custom.metrics.rand import rand_counts
from custom.metrics.second_protocol import v_info_scores, v_rand_scores
from custom.metrics.sweep import THRESHOLDS
from custom.metrics.warping import warping_counts

KEYS = [f"{kind}_{n}" for n in (0, 15) for kind in "abcdef"]
SWEPT = [f"{kind}_{n}" for n in (0, 15) for kind in "cef"]


@pytest.fixture(scope="session")
def pairs(reference: Path, real_data: Path) -> dict[str, tuple[NDArray, NDArray]]:
    """Label and proposal of each reference pair, float32, with the recorded pixels."""
    spec = importlib.util.spec_from_file_location("make_pairs", reference / "isbi" / "make_pairs.py")
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    hashes = json.loads((reference / "isbi" / "pair_sha256.json").read_text())
    found = {}
    for n in (0, 15):
        folder = real_data / "isbi2012" / "train"
        image = np.asarray(Image.open(folder / "image" / f"{n:02d}.png"), dtype=np.float64)
        label = (np.asarray(Image.open(folder / "label" / f"{n:02d}.png")) > 127).astype(np.float64)
        for kind, proposal in maker.proposals(image, label).items():
            pixels = proposal.astype(np.float32)
            assert hashlib.sha256(pixels.tobytes()).hexdigest() == hashes[f"{kind}_{n}"]
            found[f"{kind}_{n}"] = label.astype(np.float32), pixels
    return found


@pytest.fixture(scope="session")
def values(reference: Path) -> dict:
    return json.loads((reference / "isbi" / "reference_values.json").read_text())


@pytest.mark.parametrize("key", KEYS)
def test_scores_and_thresholds(key, pairs, values):
    expected = values["summary"][key]
    for name, value, threshold in [
        ("pixel_error", "pixel_error", "pixel_th"),
        ("rand_error", "rand_error_fr_n2", "rand_th"),
        ("v_rand", "V_rand", "V_rand_th"),
        ("v_info", "V_info", "V_info_th"),
        ("warping_error", "warping_min_splits_mergers", "warping_th"),
    ]:
        score = getattr(metrics, name)(*pairs[key])
        assert score.value == pytest.approx(expected[value], abs=1e-9)
        assert score.threshold == expected[threshold]
        assert score.per_image == pytest.approx([score.value], abs=1e-15)


@pytest.mark.parametrize("key", KEYS)
def test_warped_pixels(key, pairs, values):
    expected = values["summary"][key]
    score = metrics.warping_error(*pairs[key])
    assert score.splits + score.mergers == expected["warping_sm_pixels"]
    if key in SWEPT:
        sweep = {row["th"]: row["sm_error"] for row in values["per_threshold"][key]["warping"]["per_th"]}
        assert score.at_pixel_error_threshold == sweep[expected["pixel_th"]]


@pytest.mark.parametrize("key", SWEPT)
def test_counts_at_every_threshold(key, pairs, values):
    expected = values["per_threshold"][key]
    pixel = [[row[k] for k in ("tp", "fp", "fn")] for row in expected["pixel"]["per_th"]]
    np.testing.assert_array_equal(pixel_counts(*pairs[key]), pixel)
    assert [row["th"] for row in expected["pixel"]["per_th"]] == THRESHOLDS.tolist()
    warped = [[row["by_pixel"][k] for k in ("splits", "mergers")] for row in expected["warping"]["per_th"]]
    np.testing.assert_array_equal(warping_counts(*pairs[key])[:10, :2], warped)
    # The tool divides the pairs by n^2 and multiplies them again: integers up to its rounding.
    rand = [[row[k] for k in ("tp", "fp", "fn")] for row in expected["rand_fr_n2"]["per_th"]]
    np.testing.assert_array_equal(rand_counts(*pairs[key]), np.round(rand))


@pytest.mark.parametrize("key", SWEPT)
def test_second_protocol_at_every_threshold(key, pairs, values):
    expected = values["per_threshold"][key]
    for scores, name in [(v_rand_scores, "vrand_thinned_macro"), (v_info_scores, "vinfo_thinned")]:
        np.testing.assert_allclose(
            scores(*pairs[key]), [row["fScore"] for row in expected[name]["per_th"]], atol=1e-9, rtol=0
        )
