"""Port, origins and images that the server starts with."""

from __future__ import annotations

import errno
import json
import os
import re
import socket
from unittest.mock import Mock

import pytest

from custom.data.decode import IMAGE_SUFFIXES, TIFF_SUFFIXES
from custom.errors import UserError
from scripts.label_server.__main__ import main
from scripts.label_server.app.lib import names
from scripts.label_server.server import Address, check_address, check_studies, environment, temporary_folder

from .helpers import free_port

ORIGINS = [  # as no browser sends them
    *(
        "*",
        "null",
        "viewer.example",
        "https://",
        "file://",
        "ftp://a.example",
        "https://A.example",
        "https://*.example",
    ),
    *("https://a.example/", "https://a.example/x", "https://a.example,https://b.example", "https://me@a.example"),
]


class TestAddress:
    def test_a_port_in_use(self, tmp_path, capsys):
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = other.getsockname()[1]
            assert main(["--studies", str(tmp_path), "--port", str(port)]) == 2
        assert capsys.readouterr().err.startswith(f"error: --port {port}: address already in use")

    @pytest.mark.parametrize("port", [0, 70000])
    def test_a_port_that_cannot_be(self, port):
        with pytest.raises(UserError, match="1 to 65535"):
            check_address(Address(port))

    def test_studies_without_images(self, tmp_path):
        (tmp_path / "notes.txt").write_text("none")
        with pytest.raises(UserError, match="no image in it"):
            check_studies(tmp_path)
        with pytest.raises(UserError, match="no such folder"):
            check_studies(tmp_path / "missing")

    def test_studies_whose_labels_would_have_one_name(self, tmp_path):
        for name in ("a.png", "a.tif", "b.png"):
            (tmp_path / name).touch()
        with pytest.raises(UserError, match="a.png, a.tif would have labels of the same name"):
            check_studies(tmp_path)

    def test_studies_that_take_no_labels(self, tmp_path, monkeypatch):
        (tmp_path / "a.png").touch()
        refused = PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        monkeypatch.setattr("tempfile.TemporaryFile", Mock(side_effect=refused))  # an administrator may write anywhere
        with pytest.raises(UserError, match=f"{re.escape(str(tmp_path))}: cannot be written .Permission denied"):
            check_studies(tmp_path)

    @pytest.mark.parametrize("megabytes", [0, -5])
    def test_an_upload_limit_that_cannot_be(self, megabytes):
        with pytest.raises(UserError, match="--max_upload"):
            check_address(Address(free_port(), max_upload=megabytes))

    @pytest.mark.parametrize("origin", ORIGINS)
    def test_an_origin_that_browsers_do_not_send(self, origin):
        with pytest.raises(UserError, match="--allow_origin"):
            check_address(Address(free_port(), origins=[origin]))

    def test_origins_that_browsers_send(self):
        check_address(Address(free_port(), origins=["https://a.example", "http://localhost:3000"]))


class TestFolders:
    def test_images_with_endings_in_capitals_are_found(self, tmp_path):
        for name in ("a.TIF", "b.Png", "c.jpg", ".d.png"):
            (tmp_path / name).touch()
        assert check_studies(tmp_path) == 3
        patterns = json.loads(environment(tmp_path, tmp_path)["MONAI_LABEL_DATASTORE_FILE_EXT"])
        found = {file.name for file in tmp_path.iterdir() for pattern in patterns if file.name.endswith(pattern[1:])}
        assert found >= {"a.TIF", "b.Png", "c.jpg"}

    def test_the_server_takes_the_formats_that_the_reader_knows(self):
        assert (names.IMAGE_SUFFIXES, names.TIFF_SUFFIXES) == (IMAGE_SUFFIXES, TIFF_SUFFIXES)

    def test_uploads_are_in_a_folder_of_this_user_alone_which_is_removed(self, tmp_path):
        left = tmp_path / "temporary.left"
        left.mkdir()
        with temporary_folder(tmp_path) as folder:
            assert not left.exists()
            assert folder.stat().st_mode & 0o077 == 0
            (folder / "upload.png").touch()
        assert not folder.exists()

    def test_a_link_in_place_of_a_left_over_is_not_followed(self, tmp_path):
        (tmp_path / "precious").mkdir()
        (tmp_path / "precious" / "thesis.tex").touch()
        (tmp_path / "app").mkdir()
        (tmp_path / "app" / "temporary.x").symlink_to(tmp_path / "precious")
        with temporary_folder(tmp_path / "app"):
            pass
        assert (tmp_path / "precious" / "thesis.tex").exists()

    def test_two_servers_in_one_folder_are_refused(self, tmp_path):
        with temporary_folder(tmp_path), pytest.raises(UserError, match="another process"), temporary_folder(tmp_path):
            pass
