"""Which bundles are installed, and which are refused."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from custom.errors import UserError
from scripts.label_server import bundle
from scripts.label_server.__main__ import main
from scripts.label_server.bundle import find_bundle, install_app, install_bundle

from .helpers import fake_bundle, free_port, zipped


class TestBundles:
    def test_no_bundle_or_too_many(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(UserError, match="--bundle is needed: dist has none"):
            find_bundle(None)
        fake_bundle(tmp_path / "dist" / "one")
        assert find_bundle(None) == Path("dist/one")
        fake_bundle(tmp_path / "dist" / "two")
        with pytest.raises(UserError, match="dist has one, two"):
            find_bundle(None)
        with pytest.raises(UserError, match="no such bundle"):
            find_bundle("three")
        assert find_bundle("two") == Path("dist/two")

    def test_what_is_no_bundle(self, tmp_path):
        app = install_app(tmp_path / "app")
        (tmp_path / "folder").mkdir()
        (tmp_path / "broken.zip").write_bytes(b"no zip")
        (tmp_path / "a.txt").touch()
        with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
            archive.write(tmp_path / "a.txt", "folder/a.txt")
        with zipfile.ZipFile(tmp_path / "outside.zip", "w") as archive:
            archive.write(tmp_path / "a.txt", "../a.txt")
        wrong = {"folder": "not a packaged bundle", "broken.zip": "not a zip archive", "other.zip": "not a packaged"}
        for name, message in {**wrong, "outside.zip": "points outside"}.items():
            with pytest.raises(UserError, match=message):
                install_bundle(str(tmp_path / name), app)
        assert list((app / "model").iterdir()) == []

    def test_an_altered_bundle(self, tmp_path):
        app, folder = install_app(tmp_path / "app"), fake_bundle(tmp_path / "cells")
        (folder / "configs" / "inference.json").write_text("{ }")
        with pytest.raises(UserError, match="inference.json not as packaged"):
            install_bundle(str(folder), app)
        assert list((app / "model").iterdir()) == []

    @pytest.mark.parametrize("as_zip", [False, True])
    def test_only_files_with_a_checksum_are_installed(self, tmp_path, as_zip):
        app, folder = install_app(tmp_path / "app"), fake_bundle(tmp_path / "cells")
        (folder / "sitecustomize.py").write_text("evil")
        installed = install_bundle(str(zipped(folder) if as_zip else folder), app)
        files = {file.relative_to(installed).as_posix() for file in installed.rglob("*") if file.is_file()}
        assert files == {"SHA256SUMS", "configs/inference.json"}

    @pytest.mark.parametrize("as_zip", [False, True])
    def test_a_checksum_of_a_file_outside_is_refused(self, tmp_path, as_zip):
        app, folder = install_app(tmp_path / "app"), fake_bundle(tmp_path / "cells")
        with (folder / "SHA256SUMS").open("a") as file:
            file.write(f"{'0' * 64}  ../../main.py\n")
        with pytest.raises(UserError, match="line 2 is not a checksum"):
            install_bundle(str(zipped(folder) if as_zip else folder), app)
        assert list((app / "model").iterdir()) == []

    def test_another_bundle_of_the_name(self, tmp_path):
        app = install_app(tmp_path / "app")
        install_bundle(str(fake_bundle(tmp_path / "cells")), app)
        with pytest.raises(UserError, match="another bundle of that name"):
            install_bundle(str(fake_bundle(tmp_path / "other" / "cells", "[]")), app)

    @pytest.mark.parametrize(("content", "message"), [(None, "no such weights"), (b"torn", "not a file of PyTorch")])
    def test_weights_that_are_lost_or_broken(self, tmp_path, capsys, content, message):
        (tmp_path / "studies").mkdir()
        Image.fromarray(np.zeros((3, 5), np.uint8)).save(tmp_path / "studies" / "a.png")
        bundle, app = fake_bundle(tmp_path / "cells"), tmp_path / "app"
        models = install_bundle(str(bundle), install_app(app)) / "models"
        models.mkdir()
        if content is not None:
            (models / "model.pt").write_bytes(content)
        line = ["--studies", str(tmp_path / "studies"), "--bundle", str(bundle), "--app", str(app)]
        assert main([*line, "--port", str(free_port()), "--environment", str(tmp_path / "environment")]) == 2
        said = capsys.readouterr().err
        assert message in said
        assert f"or move {app / 'model' / 'cells'} away" in said
        assert len(said.splitlines()) == 1
        assert not (tmp_path / "environment").exists()

    def test_a_disk_that_fills_up_leaves_no_half_bundle(self, tmp_path, monkeypatch):
        def fill(*given: Any, **options: Any) -> None:
            raise OSError(28, "No space left on device")

        app, bundle = install_app(tmp_path / "app"), fake_bundle(tmp_path / "cells")
        monkeypatch.setattr("scripts.label_server.bundle.shutil.copyfile", fill)
        with pytest.raises(UserError, match="No space left"):
            install_bundle(str(bundle), app)
        assert list((app / "model").iterdir()) == []

    def test_an_app_folder_with_something_else(self, tmp_path):
        (tmp_path / "thesis.tex").touch()
        with pytest.raises(UserError, match="holds something else"):
            install_app(tmp_path)

    @pytest.mark.parametrize("as_zip", [False, True])
    def test_what_was_trained_stays(self, tmp_path, as_zip):
        app, folder = install_app(tmp_path / "app"), fake_bundle(tmp_path / "cells")
        source = zipped(folder) if as_zip else folder
        installed = install_bundle(str(source), app)
        assert installed == app / "model" / "cells"
        assert (installed / "configs" / "inference.json").read_text() == "{}"
        (installed / "trained").touch()
        assert install_bundle(str(source), install_app(app)) == installed
        assert (installed / "trained").is_file()

    @pytest.mark.parametrize("name", ["a,b", "a b", "-x", ".hidden", "a&b", "x" * 101])
    def test_a_name_that_no_address_can_have(self, tmp_path, name):
        app = install_app(tmp_path / "app")
        with pytest.raises(UserError, match="holds a bundle called"):
            install_bundle(str(fake_bundle(tmp_path / name)), app)
        with pytest.raises(UserError, match="holds a bundle called"):
            install_bundle(str(zipped(fake_bundle(tmp_path / "zips" / name)).rename(tmp_path / "x.zip")), app)
        assert list((app / "model").iterdir()) == []

    def test_a_zip_that_unpacks_to_too_much(self, tmp_path, monkeypatch):
        app, folder = install_app(tmp_path / "app"), fake_bundle(tmp_path / "cells")
        monkeypatch.setattr(bundle, "LARGEST", 70)
        with pytest.raises(UserError, match="are accepted"):
            install_bundle(str(zipped(folder)), app)
        assert list((app / "model").iterdir()) == []

    def test_a_zip_with_a_list_of_checksums_without_end(self, tmp_path, monkeypatch):
        app, folder = install_app(tmp_path / "app"), fake_bundle(tmp_path / "cells")
        monkeypatch.setattr(bundle, "LARGEST_LIST", 70)
        with pytest.raises(UserError, match="not a packaged bundle"):
            install_bundle(str(zipped(folder)), app)
