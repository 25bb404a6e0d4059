"""Glob patterns find what `glob.glob` finds, and each folder once where links lead in a circle."""

from __future__ import annotations

import glob
from pathlib import Path

import pytest

from custom.data.glob_files import folders_below, glob_files

FILES = ("a.png", "b.tif", ".hidden.png", "x/a.png", "x/y/c.png", "x/y/z[1]/d.png", ".git/e.png", "w/y/f.png")


@pytest.fixture
def tree(tmp_path):
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


PATTERNS = ("*", "**", "**/*.png", "x/**", "*/y/*", "**/y/**", "**/y/**/*.png", "**/**/d.*", "x/y/z[[]1]/**", "none/**")


@pytest.mark.parametrize("pattern", PATTERNS)
def test_without_links_it_is_that_of_python(pattern, tree, monkeypatch):
    expected = {Path(name) for name in glob.glob(str(tree / pattern), recursive=True) if Path(name).is_file()}  # noqa: PTH207
    assert glob_files(tree / pattern) == sorted(expected)
    monkeypatch.chdir(tree)
    assert [tree / file for file in glob_files(Path(pattern))] == sorted(expected)


def test_links_are_followed_but_not_in_a_circle(tree):
    """Through two links to the root there are 2^40 paths, until the operating system ends them."""
    for name in ("x/root", "x/y/root", "w/root"):
        (tree / name).symlink_to(tree, target_is_directory=True)
    (tree / "linked").symlink_to("x/y", target_is_directory=True)
    found = [str(file.relative_to(tree)) for file in glob_files(tree / "**" / "*.png")]
    assert found == ["a.png", "linked/c.png", "linked/z[1]/d.png", "w/y/f.png", "x/a.png"]
    assert len(folders_below(tree)) == 6
