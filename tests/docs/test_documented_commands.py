"""All documented command lines are valid; some are run unchanged, on a toy data set."""

from __future__ import annotations

import importlib.util
import inspect
import subprocess
import sys

import monai.bundle
import pytest

from custom.settings import check
from scripts import command
from scripts.run.merge import merged

from ..bundle.conftest import ROOT, environment
from .commands import bundle_words, documented, words

COMMANDS = documented()
RUNS = [(file, line) for file, line in COMMANDS if bundle_words(line)]
OTHERS = [(file, line) for file, line in COMMANDS if not bundle_words(line)]
NETWORK = "--network_def#depth 2 --features 4 --input_size 92"
TOY = {
    "training": f"{NETWORK} --max_epochs 1 --steps_per_epoch 2 --val_interval 1",
    "evaluating": "--split test",
    "inferring": "",
}


class Understood(BaseException):
    """Raised in place of what a command would do with its options."""


@pytest.fixture(autouse=True)
def from_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def test_there_are_commands_of_every_kind():
    assert {words[0] for _, line in RUNS if (words := bundle_words(line))} == set(TOY)
    assert len(OTHERS) > 10


@pytest.mark.parametrize(("file", "line"), RUNS)
def test_a_run_of_the_bundle_passes_the_check_of_its_settings(file, line):
    check(merged(bundle_words(line)))


@pytest.mark.parametrize(("file", "line"), OTHERS)
def test_a_command_understands_its_options(file, line, monkeypatch):
    module, *options = words(line)
    if module == "monai.bundle":
        parameters = inspect.signature(getattr(monai.bundle, options[0])).parameters
        assert {option.removeprefix("--") for option in options if option.startswith("--")} <= set(parameters)
        return
    if not options:  # a command by its name
        assert importlib.util.find_spec(f"{module}.__main__")
        return
    original = command.Parser.parse_args

    def parse_only(self, *given, **named):
        original(self, *given, **named)
        raise Understood

    monkeypatch.setattr(command.Parser, "parse_args", parse_only)
    with pytest.raises(Understood):
        importlib.import_module(f"{module}.__main__").main(options)


@pytest.fixture(scope="module")
def toy(tiny_dataset, tmp_path_factory):
    """Run the first command of the README of each run, in order, on the toy data; returns the output of each."""
    folder = tmp_path_factory.mktemp("documented")
    lines = [line for file, line in RUNS if file == "README.md" and "torch" not in line]
    first = {bundle_words(line)[0]: line for line in reversed(lines)}
    model = f"--model {folder / 'training'}"
    own = {
        "training": f"--dataset_dir {tiny_dataset} --output_dir {folder / 'training'}",
        "evaluating": f"--dataset_dir {tiny_dataset} {model}",
        "inferring": f"--dataset_dir {tiny_dataset / 'test' / 'image'} {model} --output_dir {folder / 'inferring'}",
    }
    for run, line in ((run, first[run]) for run in TOY):
        parts = [sys.executable, "-m", *words(line), *own[run].split(), *TOY[run].split()]
        done = subprocess.run(parts, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{line}\n{done.stderr}"
    return folder


def test_the_commands_of_the_readme_train_score_and_segment(toy):
    assert (toy / "training" / "model.json").is_file()
    assert list((toy / "training" / "evaluation").glob("*/metrics.csv"))
    assert list((toy / "inferring" / "masks").iterdir())
