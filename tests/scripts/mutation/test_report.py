"""The report, and the command line."""

from __future__ import annotations

import pytest

from custom.errors import UserError
from scripts.mutation.__main__ import by_folder, main
from scripts.mutation.mutants import Mutant
from scripts.mutation.report import TITLE, figures, read_reasons, replace_figures
from scripts.mutation.trial import Outcome

MUTANTS = [Mutant("custom/a/b.py", n, "f", 1, 9, True, f"x = {n}", f"x = {n + 1}", "", str(n)) for n in range(4)]
OUTCOMES = {
    MUTANTS[0].digest: Outcome("killed", "test"),
    MUTANTS[1].digest: Outcome("timed out"),
    MUTANTS[2].digest: Outcome("survived"),
}


def test_figures_and_survivors_with_their_reasons():
    text = figures(MUTANTS, OUTCOMES, {("custom/a/b.py", "x = 3"): "the same by design"})
    assert "4 mutants, 3 tried, 2 killed (66.7 %), 1 of them by the time limit." in text
    assert "| custom/a/b.py | 4 | 3 | 2 |" in text
    assert "- `custom/a/b.py:2`, `f`: the same by design" in text
    assert "  - x = 2\n  + x = 3\n" in text
    assert "x = 4" not in text


def test_a_survivor_without_a_reason_says_so():
    assert "`f`: not yet looked at" in figures(MUTANTS, OUTCOMES, {})
    unreached = {MUTANTS[3].digest: Outcome("unreached")}
    assert "`f`: no test runs it" in figures(MUTANTS, unreached, {})


def test_figures_are_replaced_and_hand_written_lines_kept():
    text = replace_figures(replace_figures("", "custom/a", "first\n"), "custom/ab", "second\n")
    assert text.startswith(f"{TITLE}\n## custom/a\n")
    written = text.replace("## custom/ab", "By hand.\n\n## custom/ab").replace("## custom/a\n", "## custom/a\n\nToo.\n")
    again = replace_figures(written, "custom/a", "three\n")
    assert again == written.replace("first", "three")
    assert replace_figures(again, "custom/ab", "four\n") == again.replace("second", "four")


def test_a_report_without_the_end_of_its_figures_is_refused():
    with pytest.raises(UserError, match="the line <!-- figures of custom/a --> but not <!-- end of custom/a -->"):
        replace_figures("<!-- figures of custom/a -->\nold\n\n## By hand\n", "custom/a", "new\n")


def test_reasons_are_readable():
    assert all(file.startswith("custom/") and after and reason for (file, after), reason in read_reasons().items())


def test_targets_are_folders_of_custom_or_files_in_one():
    assert by_folder(["custom/losses/weighted_cross_entropy.py", "custom/losses"]) == {
        "custom/losses": {"custom/losses/weighted_cross_entropy.py"}
    }
    for wrong in ("scripts/score", "custom/nothing", "custom", "custom/losses/nothing.py"):
        with pytest.raises(UserError, match=f"{wrong}: give a folder such as custom/metrics"):
            by_folder([wrong])


def test_bad_input_ends_in_one_line(capsys):
    assert main(["custom/nothing"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
