"""The version is the same everywhere."""

from __future__ import annotations

import json
from pathlib import Path

import custom

ROOT = Path(__file__).parents[1]


def test_bundle_has_the_version_of_its_code():
    metadata = json.loads((ROOT / "bundle" / "configs" / "metadata.json").read_text(encoding="utf-8"))
    assert metadata["version"] == custom.__version__
    assert custom.__version__ in metadata["changelog"]
