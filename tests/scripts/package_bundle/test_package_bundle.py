"""Refused arguments, after which no partial files are left."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from custom.errors import UserError
from scripts.package_bundle import __main__ as package_bundle
from scripts.package_bundle.__main__ import check_target, main, package
from scripts.package_bundle.configs import read
from tests.models import make_model

from .making import NAME


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("my-bundle", "not a Python identifier"),
        ("2cells", "not a Python identifier"),
        ("class", "not a Python identifier"),
        ("zellkörper", "not a Python identifier"),
        ("json", "exists already"),
        ("custom", "exists already"),
        ("cell_Detection", "would take it for detection"),
        ("cell_classification", "would take it for classification"),
        ("deepedit_cells", "would take it for deepedit"),
    ],
)
def test_names_that_cannot_be_are_refused(tmp_path, name, message):
    with pytest.raises(UserError, match=message):
        check_target(name, tmp_path)


@pytest.mark.parametrize("taken", [NAME, f"{NAME}.zip"])
def test_a_taken_name_is_refused(inputs, tmp_path, taken, capsys):
    (tmp_path / taken).mkdir()
    line = ["--model", str(inputs[1].folder), "--experiment", str(inputs[0]), "--name", NAME, "--output", str(tmp_path)]
    assert main(line) == 2
    assert "exists already" in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == [taken]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--model", "nowhere"], "model nowhere: no model.json there"),
        (["--experiment", "kompakt"], "choose one of .*compact, "),
        (["--experiment", "broken.json"], "broken JSON in line 1"),
        (["--experiment", "odd.json"], "does not fit train.json"),
        (["--threshold", "3"], "--threshold 3.0: input should be less than or equal to 1"),
        (["--name", "my-bundle"], "not a Python identifier"),
    ],
)
def test_inputs_that_cannot_be_used_are_refused(inputs, tmp_path, monkeypatch, capsys, more, message):
    monkeypatch.chdir(tmp_path)
    Path("broken.json").write_text("{")
    Path("odd.json").write_text(json.dumps({"nothing#here#at": 0}))
    line = ["--model", str(inputs[1].folder), "--experiment", str(inputs[0]), "--name", NAME, *more]
    assert main(line) == 2
    error = capsys.readouterr().err
    assert re.search(message, error)
    assert error.count("\n") == 1
    assert not Path("dist", NAME).exists()


def test_a_model_without_authors_needs_them_named(inputs, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(package_bundle, "export_torchscript", lambda bundle: None)
    make_model(tmp_path / "mine", features=4, depth=2, authors="", copyright="")
    line = ["--model", str(tmp_path / "mine"), "--name", NAME, "--output", str(tmp_path / "dist")]
    assert main(line) == 2
    assert "say whose work it is with --authors" in capsys.readouterr().err
    assert main([*line, "--authors", "B. Lab"]) == 0
    metadata = read(tmp_path / "dist" / NAME / "configs" / "metadata.json")
    assert (metadata["authors"], metadata["copyright"]) == ("B. Lab", "Copyright (c) B. Lab")


def test_too_little_space_is_told_before_anything_is_written(inputs, tmp_path, monkeypatch):
    monkeypatch.setattr(package_bundle.shutil, "disk_usage", lambda folder: SimpleNamespace(free=1000))
    with pytest.raises(UserError, match="needs .* MiB, and the disk has 0.0 MiB free"):
        package(inputs[1], NAME, tmp_path, str(inputs[0]))
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_up_leaves_nothing(inputs, tmp_path, monkeypatch):
    def fill(bundle: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(package_bundle, "export_torchscript", fill)
    with pytest.raises(UserError, match="No space left"):
        package(inputs[1], NAME, tmp_path, str(inputs[0]))
    assert list(tmp_path.iterdir()) == []
