"""Mutants of a small file: what is changed, what is left alone, and which are drawn."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.mutation.mutants import mutants_of, sample

SOURCE = '''"""A module."""
from __future__ import annotations

__all__ = ["grow"]
LIMIT: int | None = 3
Size: TypeAlias = int | float


@compiled
def grow(size: int | None, by: int = 1) -> int:
    """Docstring."""
    return size + by


class Box:
    def check(self, size):
        if size > LIMIT:
            raise ValueError("too large" + str(size) + f"{size + 7}")
        return isinstance(size, int), list(zip(size, "ab", strict=True))
'''


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "box.py").write_text(SOURCE)
    return tmp_path


def changes(root: Path) -> set[tuple[str, str]]:
    return {(mutant.before, mutant.after) for mutant in mutants_of(root, "box.py")}


def test_each_mutant_is_the_file_with_one_line_changed(root):
    mutants = mutants_of(root, "box.py")
    for mutant in mutants:
        lines = zip(SOURCE.splitlines(), mutant.source.splitlines(), strict=True)
        (different,) = [(n, a.strip(), b.strip()) for n, (a, b) in enumerate(lines, 1) if a != b]
        assert different == (mutant.line, mutant.before, mutant.after)
    assert len({mutant.digest for mutant in mutants}) == len(mutants)


def test_operators_numbers_and_values_are_changed(root):
    assert {
        ("return size + by", "return size - by"),
        ("if size > LIMIT:", "if size >= LIMIT:"),
        ("LIMIT: int | None = 3", "LIMIT: int | None = 4"),
        ("LIMIT: int | None = 3", "LIMIT: int | None = None"),
        ("def grow(size: int | None, by: int = 1) -> int:", "def grow(size: int | None, by: int = 2) -> int:"),
    } <= changes(root)


def test_annotations_exports_messages_and_type_checks_are_left_alone(root):
    after = " ".join(after for _, after in changes(root))
    for changed in (
        "int & None",
        "int & float",
        "TypeAlias = None",
        "XXgrowXX",
        "XXtoo largeXX",
        "XXDocstring",
        "isinstance(None",
        "size - 7",
        "strict=False",
        "strict=None",
        '"ab", )',
        "import None",
    ):
        assert changed not in after
    assert "raise ValueError(None)" in after
    assert 'zip(None, "ab", strict=True)' in after


def test_a_mutant_knows_its_function(root):
    places = {(m.function, m.first, m.last, m.runs_as_python) for m in mutants_of(root, "box.py")}
    assert places == {("", 0, 0, False), ("grow", 11, 12, False), ("Box.check", 17, 19, True)}


def test_a_larger_sample_begins_with_a_smaller_one_and_a_seed_repeats(root):
    mutants = mutants_of(root, "box.py")
    assert len(sample(mutants, 3, 0)) == 3
    assert sample(mutants, 6, 0)[:3] == sample(mutants, 3, 0) == sample(mutants[::-1], 3, 0)
    assert any(sample(mutants, 3, seed) != sample(mutants, 3, 0) for seed in (1, 2))
    assert set(sample(mutants, None, 0)) == set(mutants)


def test_an_edit_elsewhere_leaves_the_sample_alone(root):
    def drawn() -> list[str]:
        return [m.after for m in sample([m for m in mutants_of(root, "box.py") if m.function == "Box.check"], 3, 0)]

    before = drawn()
    (root / "box.py").write_text(SOURCE.replace("LIMIT: int | None = 3", "\n\nLIMIT: int | None = 5"))
    assert drawn() == before


def test_comments_and_docstrings_do_not_make_another_mutant(root):
    before = {mutant.digest for mutant in mutants_of(root, "box.py")}
    (root / "box.py").write_text(
        SOURCE.replace("Docstring.", "Others.").replace("return size + by", "return size + by  # x")
    )
    assert {mutant.digest for mutant in mutants_of(root, "box.py")} == before
    (root / "box.py").write_text(SOURCE.replace("size > LIMIT", "size > LIMIT + 5"))
    assert not {mutant.digest for mutant in mutants_of(root, "box.py")} & before
