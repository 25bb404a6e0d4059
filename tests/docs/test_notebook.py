"""The notebook runs from top to bottom, and shows what it gives."""

from __future__ import annotations

import json
import sys
import warnings

import matplotlib as mpl
import pytest

from ..bundle.conftest import ROOT

NOTEBOOK = ROOT / "docs" / "first_segmentation.ipynb"
CELLS = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
CODE = [cell for cell in CELLS if cell["cell_type"] == "code"]


def test_it_is_saved_with_its_results_in_order():
    assert [cell["execution_count"] for cell in CODE] == list(range(1, len(CODE) + 1))
    outputs = [output for cell in CODE for output in cell["outputs"]]
    assert [output for output in outputs if "image/png" in output.get("data", ())]
    assert not [output for output in outputs if output["output_type"] == "error"]


def test_it_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(NOTEBOOK.parent)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    names: dict[str, object] = {"__name__": "__main__"}
    with mpl.rc_context({"backend": "Agg"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "FigureCanvasAgg is non-interactive")
        for number, cell in enumerate(CODE, start=1):
            exec(compile("".join(cell["source"]), f"cell {number}", "exec"), names)
            stored = "".join(text for output in cell["outputs"] for text in output.get("text", ()))
            assert len(capsys.readouterr().out.splitlines()) == len(stored.splitlines()), f"cell {number}"
    result, agreement = names["result"], names["agreement"]
    assert result.instances.max() == pytest.approx(80, abs=4)  # type: ignore[attr-defined]
    assert agreement == pytest.approx(0.9, abs=0.02)
    assert list(tmp_path.glob("*/cells.tif"))
