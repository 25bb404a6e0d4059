"""A long campaign can be interrupted: parts that passed are not run again."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import strategies as st

from . import __main__ as campaign
from .part import Part


def test_only_parts_that_passed_are_not_repeated(tmp_path, monkeypatch) -> None:
    runs: Counter[str] = Counter()

    def check(case: int, folder: Path) -> None:
        runs["even" if case % 2 == 0 else "odd"] += 1
        assert case % 2 == 0

    parts = [
        Part("even", "numbers", st.sampled_from([0, 2, 4]), check, quick=3),
        Part("odd", "numbers", st.sampled_from([1, 3]), check, quick=2),
    ]
    monkeypatch.setattr(campaign, "PARTS", parts)
    words = ["--keep", str(tmp_path / "kept"), "--output", str(tmp_path / "table.md")]
    assert campaign.main(words) == 1
    assert campaign.main(words) == 1
    assert runs == {"even": 3, "odd": 4}
    table = (tmp_path / "table.md").read_text()
    assert "| even | numbers | 3 | 3 | 3 |" in table
    assert "| all | | 5 | 5 | 3 |" in table


@pytest.mark.parametrize("changed", [["--seed", "1"], ["--profile", "medium"]])
def test_results_of_another_profile_or_seed_are_not_taken(changed, tmp_path, monkeypatch) -> None:
    runs: list[int] = []
    part = Part("even", "numbers", st.sampled_from([0, 2, 4]), lambda case, folder: runs.append(case), quick=3)
    monkeypatch.setattr(campaign, "PARTS", [part])
    campaign.main(["--keep", str(tmp_path)])
    campaign.main(["--keep", str(tmp_path), *changed])
    assert len(runs) == 6
