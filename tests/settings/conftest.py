"""Merged configurations in a warm process: a check takes some 50 ms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from monai.bundle import ConfigParser

from custom.settings import check

from ..bundle.conftest import CONFIGS, ROOT

Checked = Callable[..., ConfigParser]


@pytest.fixture
def checked(monkeypatch) -> Checked:
    """Merge configuration files with overrides, check them, and return the parser."""
    monkeypatch.chdir(ROOT)

    def merge_and_check(*files: str, **overrides: Any) -> ConfigParser:
        parser = ConfigParser()
        parser.read_config([str(CONFIGS / file) for file in files or ("train.json",)])
        parser.update(overrides)
        check(parser)
        return parser

    return merge_and_check
