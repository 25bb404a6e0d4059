"""Exports on a full disk are refused in one line, and leave nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.models import make_model

ROOT = Path(__file__).parents[3]
PROGRAM = """
import resource, sys
from scripts.export.__main__ import main
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such limit")
def test_torchscript_does_not_abort_on_a_full_disk(tmp_path):
    make_model(tmp_path / "model")
    output = tmp_path / "out" / "a.ts"
    line = [sys.executable, "-c", PROGRAM, "torchscript", "--model", str(tmp_path / "model"), "--output", str(output)]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith(f"error: {output}: cannot be written (")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()
