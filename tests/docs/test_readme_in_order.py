"""The README's commands one after the other, as they stand, in a folder like the repository's root.

Only options for toy sizes are added; the images are drawn.
"""

from __future__ import annotations

import runpy
import shutil
import sys
from pathlib import Path

import pytest

from custom.data import make_synthetic, read_dataset, read_image, read_mask, write_image
from tests.models import make_model

from ..bundle.conftest import ROOT
from .commands import documented, words

STEPS = ["--max_epochs", "1", "--steps_per_epoch", "2", "--val_interval", "1"]
SMALL = ["--network_def#depth", "2", "--features", "4", "--input_size", "92", *STEPS]
TOY = {
    "monai.bundle run inferring": [],
    "monai.bundle run evaluating": [],
    "monai.bundle run training": SMALL,
    "scripts.segment_volume": ["--orientations", "1"],
    "scripts.prepare_data folder": ["--instances"],
    "scripts.report": [],
    "scripts.ship_model": [],
    "scripts.learning_curve": ["--images", "1", "--steps", "1"],
    "scripts.tune": [],
    "scripts.robustness": [],
    "scripts.ensemble": [],
    "scripts.score": [],
    "scripts.package_bundle": [],
    "scripts.export": ["--orientations", "1"],
    "scripts.settings": [],
}
FINE_TUNED = ["--input_size", "188", *STEPS]  # the network is that of the model
NOT_HERE = {
    "scripts.prepare_data isbi2012": "downloads; tests/scripts/prepare_data",
    "scripts.prepare_data dic-hela": "downloads; tests/scripts/prepare_data",
    "scripts.prepare_data phc-u373": "downloads; tests/scripts/prepare_data",
    "scripts.prepare_data ctc": "an archive of the challenge; tests/scripts/prepare_data",
    "torch.distributed.run": "several processes; tests/bundle/test_many_processes.py",
    "scripts.label_server": "a server; tests/scripts/label_server",
    "scripts.reproduce": "trainings of minutes; tests/scripts/reproduce",
    "scripts.benchmark": "minutes; tests/scripts/benchmark",
}


def beginning(line: list[str], known: dict[str, object]) -> str | None:
    return next((start for start in known if line[: len(start.split())] == start.split()), None)


def commands() -> list[list[str]]:
    """What follows `python -m` of each command of the README with options, in order."""
    found = [words(line) for file, line in documented() if file == "README.md"]
    return [line for line in found if len(line) > 1 and line != ["monai.bundle", "run"]]


def test_every_command_is_run_or_has_a_reason():
    for line in commands():
        assert bool(beginning(line, TOY)) != bool(beginning(line, NOT_HERE)), line


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the bundle, images and labels, and the models of an ensemble that the README takes for granted."""
    (tmp_path / "bundle").symlink_to(ROOT / "bundle")
    cells = make_synthetic(tmp_path / "drawn", 0, (200, 230), {"training": 4, "validation": 1}, kind="cells")
    for number, item in enumerate(read_dataset(cells).training + read_dataset(cells).validation):
        write_image(tmp_path / "my_images" / "images" / f"{number}.tif", read_image(item["image"], channel=0))
        write_image(tmp_path / "my_images" / "masks" / f"{number}.png", read_mask(item["label"]))
    shutil.copy(tmp_path / "my_images" / "images" / "0.tif", tmp_path / "my_images")
    make_synthetic(tmp_path / "data" / "isbi2012", 0, (200, 230), {"training": 1, "validation": 1, "test": 1})
    for number in (1, 2, 3):
        make_model(tmp_path / "runs" / f"seed{number}")
    write_image(tmp_path / "stack.tif", read_image(tmp_path / "my_images" / "0.tif")[:64, :80])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # for trainings that a command starts
    return tmp_path


@pytest.mark.slow
def test_the_readme_in_order(root, monkeypatch, capsys):
    for line in commands():
        start = beginning(line, TOY)
        if start is None:
            continue
        if line[:2] == ["scripts.score", "isbi"]:  # of what was segmented before
            shutil.copytree("segmented/probabilities", "probabilities")
            shutil.copytree("my_images/masks", "labels")
        if line[:2] == ["scripts.score", "ctc"]:
            shutil.copytree("my_images/masks", "instances")
            shutil.copytree("my_images/masks", "reference")
        more = FINE_TUNED if "--init_model" in line and start.endswith("training") else TOY[start]
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", [line[0], *line[1:], *more])
            try:
                runpy.run_module(line[0], run_name="__main__", alter_sys=True)
                code = 0
            except SystemExit as end:
                code = end.code or 0
        assert code == 0, (line, capsys.readouterr().err[-2000:])
