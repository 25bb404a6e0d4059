"""Misspelt overrides are refused with close names; bad input ends in one line."""

from __future__ import annotations

import json
import sys

import pytest

from custom.cli import check_overrides, one_line_errors
from custom.errors import UserError


@pytest.fixture
def config(tmp_path):
    for name, content in {"train.json": {"max_epochs": 1, "network": {"a": 1}}, "overlay.json": {"split": "x"}}.items():
        (tmp_path / name).write_text(json.dumps(content))
    return f"[{tmp_path / 'train.json'}, {tmp_path / 'overlay.json'}]"


@pytest.mark.parametrize("given", [["--max_epochs", "5"], ["--max-epochs=5"], ["--network#a", "2"], ["--split", "y"]])
def test_known_names_pass(config, given):
    check_overrides(["run", "training", "--config_file", config, *given])


@pytest.mark.parametrize("given", [["--max_epoch", "5"], ["--max_epoch=5"], ["--max_epoch#a", "5"]])
def test_unknown_names_are_refused_with_close_ones(config, given):
    with pytest.raises(UserError, match="did you mean --max_epochs"):
        check_overrides(["run", "training", "--config_file", config, *given])


def test_a_name_like_no_other_is_refused_too(config):
    with pytest.raises(UserError, match="the config has no id 'zzz'"):
        check_overrides(["run", f"--config_file={config}", "--zzz", "5"])


def test_names_from_an_args_file_are_checked(config, tmp_path):
    (tmp_path / "args.json").write_text(json.dumps({"config_file": config, "max_epoch": 3}))
    with pytest.raises(UserError, match="did you mean --max_epochs"):
        check_overrides(["run", "--args_file", str(tmp_path / "args.json")])


def test_other_programs_are_left_alone():
    check_overrides()


def test_input_errors_are_told_in_one_line_however_wrapped(monkeypatch, capsys):
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    one_line_errors()
    try:
        try:
            raise UserError("a.png: broken; give another")
        except UserError as error:
            raise RuntimeError("Failed to evaluate") from error
    except RuntimeError as error:
        sys.excepthook(RuntimeError, error, error.__traceback__)
    assert capsys.readouterr().err == "error: a.png: broken; give another\n"


def test_other_errors_keep_their_traceback(monkeypatch, capsys):
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    one_line_errors()
    try:
        raise KeyError("x")
    except KeyError as error:
        sys.excepthook(KeyError, error, error.__traceback__)
    assert "Traceback" in capsys.readouterr().err
