"""The campaign: few cases of each part in a minute or two, ten times as many and all commands with `-m slow`."""

from __future__ import annotations

import pytest

from .parts import PARTS


@pytest.mark.parametrize("part", [part for part in PARTS if not part.slow], ids=str)
def test_quick(part) -> None:
    part.test("quick")


@pytest.mark.slow
@pytest.mark.parametrize("part", PARTS, ids=str)
def test_long(part) -> None:
    part.test("long", seed=1)
