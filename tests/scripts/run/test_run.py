"""One-line errors for problems that MONAI would meet before any code of the bundle runs."""

from __future__ import annotations

import json
import logging
import runpy
import subprocess
import sys
import warnings

import pytest

from custom.errors import UserError
from scripts.run.__main__ import main
from scripts.run.merge import merged

from ...bundle.conftest import ROOT, environment

TRAIN, EVALUATE = "bundle/configs/train.json", "bundle/configs/evaluate.json"


@pytest.fixture(autouse=True)
def from_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def test_files_and_overrides_are_merged_as_monai_does(tmp_path):
    (tmp_path / "args.json").write_text(json.dumps({"config_file": [TRAIN], "seed": 3, "max_norm": None}))
    words = ["--args_file", str(tmp_path / "args.json"), "--max-epochs=7", "--network_def#dropout", "0", "--seed", "4"]
    parser = merged(["training", *words])
    found = [parser[id] for id in ("max_epochs", "network_def#dropout", "seed", "max_norm", "batch_size")]
    assert found == [7, 0, 4, None, 1]


@pytest.mark.parametrize("files", [f"['{TRAIN}','{EVALUATE}']", f"{TRAIN},{EVALUATE}"])
def test_a_list_of_files_and_names_with_commas(files):
    assert "evaluating" in merged(["evaluating", "--config_file", files])


WITH_TRAIN = ["training", "--config_file", TRAIN]
REFUSED = {
    "no file": (["training"], "--config_file is missing"),
    "a missing file": (["training", "--config_file", "bundle/configs/trian.json"], "does not exist; did you mean bund"),
    "a missing overlay": (["training", "--config_file", f"{TRAIN},gone.json"], "gone.json does not exist"),
    "a missing arguments file": (["training", "--args_file", "gone.json"], "--args_file: gone.json does not exist"),
    "a broken file": (["training", "--config_file", "BROKEN"], "broken.json: not JSON (Expecting value in line 2)"),
    "a list": (["training", "--config_file", "LIST"], "has a list; a configuration is an object"),
    "another format": (["training", "--config_file", "README.md"], "not a configuration file in JSON or YAML"),
    "an unknown run": (["traning", *WITH_TRAIN[1:]], "unknown run 'traning'; these configuration files have training"),
    "an unknown part": ([*WITH_TRAIN, "--trian#window#sigma", "1"], "did you mean train"),
    "an index beyond": ([*WITH_TRAIN, "--train#handlers#99#name", "x"], "there is no such part to change"),
    "an overlay of nothing": (["training", "--config_file", f"{TRAIN},OVERLAY"], "overlay.json sets netwrk_def#x"),
    "a macro of nothing": ([*WITH_TRAIN, "--loss", "%gone.json"], "a value that begins with %"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_in_one_line(case, tmp_path):
    files = {"broken": '{"a":\n}', "list": "[]", "overlay": '{"netwrk_def#x": 1}'}
    for name, text in files.items():
        (tmp_path / f"{name}.json").write_text(text)
    words, message = REFUSED[case]
    for name in files:
        words = [word.replace(name.upper(), str(tmp_path / f"{name}.json")) for word in words]
    with pytest.raises(UserError) as refusal:
        merged(words)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_the_whole_command_checks_before_it_runs():
    line = [sys.executable, "-m", "scripts.run", "training", "--config_file", TRAIN, "--max_epochs"]
    done = subprocess.run(line, capture_output=True, text=True, env=environment(), cwd=ROOT, check=False)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        2,
        "error: --max_epochs has no value; write --max_epochs VALUE",
    )


@pytest.mark.parametrize("shipped", [True, False])
def test_warnings_about_configurations_are_for_those_from_elsewhere(tmp_path, monkeypatch, caplog, shipped):
    (tmp_path / "own.json").write_text("{}")
    overlay = "bundle/configs/experiments/quick.json" if shipped else str(tmp_path / "own.json")
    logger = logging.getLogger("monai.bundle.workflows")
    seen = []

    def monai(*_: object, **__: object) -> None:
        with warnings.catch_warnings(record=True) as caught:
            warnings.warn("parsing config_file x (see GHSA-873f-pvrv-4x83).", UserWarning, stacklevel=1)
            warnings.warn("something else", UserWarning, stacklevel=1)
        logger.warning("Not all config files are in x.")
        logger.warning("something else")
        seen.extend(str(warning.message) for warning in caught)

    monkeypatch.setattr(runpy, "run_module", monai)
    monkeypatch.setattr(sys, "argv", sys.argv)
    monkeypatch.setattr(logger, "filters", [])
    monkeypatch.setattr(logger, "propagate", True)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert main(["training", "--config_file", f"{TRAIN},{overlay}"]) == 0
    said = list(dict.fromkeys(caplog.messages))
    assert len(seen) == len(said) == (1 if shipped else 2)
    assert seen[-1] == said[-1] == "something else"
