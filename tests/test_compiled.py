"""Compiled functions work where they cannot be cached, as in a read-only checkout."""

from __future__ import annotations

from custom.compiled import compiled


def test_function_without_a_place_for_its_cache():
    names: dict = {}
    exec("def double(x):\n    return 2 * x", names)
    assert compiled(names["double"])(21) == 42


def test_function_with_a_file_is_cached():
    assert compiled(_triple)(14) == 42
    assert compiled(_triple).stats.cache_path


def _triple(x):
    return 3 * x
