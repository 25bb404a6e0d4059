"""The environment for MONAI Label."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from custom.errors import UserError
from scripts.label_server import environment

ROOT = Path(__file__).parents[3]


class TestEnvironment:
    def test_a_full_disk_before_anything_is_installed(self, tmp_path, monkeypatch):
        monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=1 << 20))
        with pytest.raises(UserError, match="needs 4.0 GiB, and the disk has 1.0 MiB free"):
            environment.prepare(tmp_path / "env")
        assert list(tmp_path.iterdir()) == []

    def test_a_python_that_is_too_new(self, tmp_path, monkeypatch):
        monkeypatch.setattr(environment.sys, "version_info", (3, 13))
        with pytest.raises(UserError, match="needs Python 3.11 or 3.12"):
            environment.prepare(tmp_path / "env")

    def test_an_interruption_is_no_obstacle(self, tmp_path, monkeypatch):
        class InterruptionError(BaseException):
            pass

        def interrupt(*given: object, **options: object) -> None:
            raise InterruptionError

        folder = tmp_path / ".venv-label"
        folder.mkdir()
        (folder / "pyvenv.cfg").touch()
        (folder / "label-requirements.sha256").write_text("of older requirements")
        for interrupted in (environment.shutil, "rmtree"), (environment, "run"), (environment, "run"):
            with monkeypatch.context() as context:
                context.setattr(*interrupted, interrupt)
                with pytest.raises(InterruptionError):
                    environment.prepare(folder)
        assert list(tmp_path.iterdir()) == []

    def test_an_installation_that_fails_is_told_and_tried_again(self, tmp_path):
        failing = [sys.executable, "-c", "import sys; print('no network', file=sys.stderr); sys.exit(1)"]
        with pytest.raises(UserError, match="failed \\(no network\\)"):
            environment.run(failing, tmp_path)
        assert not environment.is_ready(tmp_path)

    def test_the_environment_has_the_versions_of_this_project(self):
        def pins(file: Path) -> dict[str, str]:
            lines = file.read_text().splitlines()
            return dict(line.split("==") for line in lines if "==" in line and not line.startswith("#"))

        own, label = pins(ROOT / "requirements.txt"), pins(environment.REQUIREMENTS[0])
        shared = own.keys() & label.keys()
        assert {name: label[name] for name in shared} == {name: own[name] for name in shared}
        needed = json.loads((ROOT / "bundle/configs/metadata.json").read_text())["required_packages_version"]
        assert needed.keys() <= label.keys()
