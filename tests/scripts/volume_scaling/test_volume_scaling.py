"""The command records the costs of a real run, and puts the figures between the markers of the page."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path

import pytest

from scripts.volume_scaling import __main__ as volume_scaling
from scripts.volume_scaling import report
from scripts.volume_scaling.record import Costs, record
from tests.models import make_model

DOCS = Path(__file__).parents[3] / "docs"
SHAPE = (2, 40, 70)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Costs:
    pytest.importorskip("zarr")
    folder = tmp_path_factory.mktemp("model")
    make_model(folder, features=8, depth=2)
    return record(SHAPE, 32, str(folder))


@pytest.mark.slow  # starts a Dask cluster
def test_each_step_is_recorded(recorded):
    steps = recorded.steps
    assert set(steps) == {"gray values", "blocks", "network", "instances", "links", "numbers", "pyramids", "clean-up"}
    assert [len(steps[name].seconds) for name in ("gray values", "blocks", "network", "links")] == [2, 12, 12, 1]
    assert all(second >= 0 for step in steps.values() for second in step.seconds)
    assert sum(steps["network"].seconds) > sum(steps["blocks"].seconds) > 0
    # Each block writes at least its probabilities and its mask, a chunk of each.
    assert steps["blocks"].writes * SHAPE[1] * SHAPE[2] * SHAPE[0] / 12 >= 2
    assert steps["network"].reads == steps["network"].writes == 0
    assert min(recorded.operations, recorded.scheduler, recorded.journal, recorded.files, recorded.folders) > 0
    assert Costs.from_json(json.loads(json.dumps(recorded.to_json()))).steps == steps


def test_the_page_gets_the_figures_between_its_markers(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(volume_scaling, "table", partial(report.table, shape=(5, 3000, 5000)))
    monkeypatch.setattr(report, "WORKERS", (1, 3))
    page = tmp_path / "scaling.md"
    arguments = ["--output", str(tmp_path)]
    assert volume_scaling.main(arguments) == 2
    assert "scaling.md: is missing" in capsys.readouterr().err
    page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    assert volume_scaling.main(arguments) == 2
    assert "volume_costs.json: is missing; record the costs with --record" in capsys.readouterr().err
    shutil.copy(DOCS / "volume_costs.json", tmp_path)
    assert volume_scaling.main(arguments) == 0
    text = page.read_text()
    assert text.startswith(f"before\n{report.BEGIN}\n")
    assert text.endswith(f"\n{report.END}\nafter\n")
    assert "old" not in text
    assert text.count("| 3 x ") == len(report.KINDS)
    assert (tmp_path / "volume_scaling.png").read_bytes().startswith(b"\x89PNG")
    assert volume_scaling.main(arguments) == 0
    assert page.read_text() == text
