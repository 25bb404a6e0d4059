"""A session runs its steps, ends those that take too long, and continues where it stopped."""

from __future__ import annotations

import importlib.util
import json

import pytest

from scripts.gpu_session import __main__ as gpu_session
from scripts.gpu_session import equality
from scripts.gpu_session.__main__ import Step, run_all, steps
from tests.models import make_model

PRINT, FAIL, WAIT = (
    ["timeit", "-n", "1", "-r", "1", "1"],
    ["timeit", "1 / 0"],
    ["timeit", "__import__('time').sleep(60)"],
)


def test_steps_are_run_once_and_the_rest_continues(tmp_path):
    todo = [Step("good", PRINT, 1), Step("bad", FAIL, 1), Step("long", WAIT, 0.02)]
    assert run_all(todo, tmp_path, 5) == {"good": "done", "bad": "failed with exit code 1", "long": "unfinished"}
    assert "best of 1" in (tmp_path / "good.log").read_text()
    assert "ZeroDivisionError" in (tmp_path / "bad.log").read_text()
    logs = (tmp_path / "good.log").read_text()
    assert run_all([*todo[:1], Step("bad", PRINT, 1)], tmp_path, 5) == {"good": "done", "bad": "done"}
    assert (tmp_path / "good.log").read_text() == logs
    assert "unfinished" in json.loads((tmp_path / "steps.json").read_text()).values()
    assert run_all([Step("late", PRINT, 1)], tmp_path, 0) == {"late": "not begun"}


@pytest.mark.parametrize("toy", [True, False])
def test_what_the_steps_run_exists(toy, tmp_path):
    found = steps(tmp_path, tmp_path, toy)
    assert [step.name for step in found] == ["tests", "equality", "one_process", "benchmark"] + ["trainings"] * (
        not toy
    )
    for step in found:
        assert importlib.util.find_spec(step.line[0]), step.line[0]
        files = [word for word in step.line if word.startswith("tests/")]
        assert all((gpu_session.Path(__file__).parents[3] / file).exists() for file in files)


def test_the_comparison_with_the_cpu(tmp_path, monkeypatch, capsys):
    make_model(tmp_path / "model", features=2, depth=1)
    monkeypatch.setattr(equality, "MODELS", [str(tmp_path / "model")])
    assert equality.main(tmp_path / "equality.json") == 0
    found = json.loads((tmp_path / "equality.json").read_text())[str(tmp_path / "model")]
    assert 0 <= found["largest difference"] <= equality.TOLERANCE
    monkeypatch.setattr(equality, "TOLERANCE", -1)
    assert equality.main(tmp_path / "equality.json") == 1
