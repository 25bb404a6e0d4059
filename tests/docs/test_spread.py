"""The spread over the folds in the model cards equals that in the results."""

from __future__ import annotations

import statistics
from pathlib import Path

from scripts.reproduce.table import RECORDS, groups, of_folds, read_records

ROOT = Path(__file__).parents[2]
FOLDED = ("best_em", "quick")  # experiment and budget


def test_the_spread_over_the_folds_is_that_of_the_results():
    records = groups(read_records(ROOT / "docs" / RECORDS))
    (folds,) = (of_folds(group) for group in records if (group[0]["experiment"], group[0]["budget"]) == FOLDED)
    assert [record["fold"] for record in sorted(folds, key=lambda record: record["fold"])] == list(range(5))
    card = " ".join((ROOT / "bundle" / "docs" / "README.md").read_text(encoding="utf-8").split())
    for measure, name in (("v_rand", "V_rand"), ("v_info", "V_info"), ("pixel_error", "pixel error")):
        scores = [record["scores"][measure] for record in folds]
        assert f"{name} {statistics.mean(scores):.3f} ± {statistics.stdev(scores):.3f}" in card
    errors = {record["fold"]: record["scores"]["pixel_error"] for record in folds}
    assert f"({errors[4]:.3f}; {errors[0]:.3f} on sections 0 to 5)" in card
    assert min(errors, key=errors.__getitem__) == 4
