"""The list of settings and its document come from the declarations and the configurations."""

from __future__ import annotations

import json

import pytest

from custom.settings import RUNS, STRUCTURE, settings_of
from scripts.settings.__main__ import main
from scripts.settings.table import CONFIGS, FILES, markdown, rows

from ...bundle.conftest import ROOT


def test_the_document_is_what_the_command_writes():
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert text == markdown(rows()), "run `python -m scripts.settings --markdown > docs/settings.md`"


def test_every_declared_setting_is_listed():
    assert {row.setting.id for row in rows()} == {id for run in RUNS for id in settings_of(run)}


@pytest.mark.parametrize("run", FILES)
def test_every_value_of_the_configurations_that_stands_for_itself_is_declared(run):
    declared = set(settings_of(run)) | STRUCTURE
    for file in FILES[run]:
        for id, value in json.loads((CONFIGS / file).read_text()).items():
            computed = isinstance(value, str) and value[:1] in ("$", "@", "%")
            assert id in declared or computed or isinstance(value, (dict, list)), f"{file}: {id}"


@pytest.mark.parametrize("run", FILES)
def test_the_settings_of_a_run_are_in_its_configurations(run):
    known = {id for file in FILES[run] for id in json.loads((CONFIGS / file).read_text())}
    assert {id.split("#")[0] for id in settings_of(run)} <= known


def test_a_filter_finds_by_id_and_by_meaning(capsys):
    assert main(["--filter", "EPOCH"]) == 0
    out = capsys.readouterr().out
    assert "max_epochs  [training]  an integer, at least 1 (epochs)  default: `240`" in out
    assert "learning_rate" not in out
    assert main(["--filter", "flips averaged"]) == 0
    assert "test_orientations" in capsys.readouterr().out


def test_a_filter_that_finds_nothing_is_bad_input(capsys):
    assert main(["--filter", "zzz"]) == 2
    assert capsys.readouterr().err.startswith("error: --filter zzz: no setting has that")
