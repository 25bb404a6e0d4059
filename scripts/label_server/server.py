"""The MONAI Label server: started, waited for, stopped."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from custom.errors import UserError
from custom.files import require_writable
from custom.lock import lock

from ..command import end_processes
from .app.lib.names import IMAGE_SUFFIXES

HOST = "127.0.0.1"
PATIENCE = 180  # seconds until the server must answer
PATIENCE_AT_END = 15  # seconds for the server and its trainings to end when asked to
TEMPORARY = "temporary."  # beginning of the name of the folder with uploads and masks on their way


@dataclass(frozen=True)
class Address:
    """Where the server listens and who may call it.

    Args:
        port: on this machine.
        origins: pages elsewhere that may call, such as "https://viewer.example".
        max_upload: megabytes of one request.
    """

    port: int
    origins: Sequence[str] = ()
    max_upload: int = 512


def check_address(address: Address) -> None:
    """Raise `UserError` if nothing can listen there, or an origin or limit cannot be."""
    port = address.port
    if not 0 < port < 65536:
        raise UserError(f"--port {port}: give a number from 1 to 65535")
    if address.max_upload < 1:
        raise UserError(f"--max_upload {address.max_upload}: give a number of megabytes from 1 on")
    for origin in address.origins:
        check_origin(origin)
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind((HOST, port))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise UserError(f"--port {port}: {reason}; stop what uses it or choose another") from error


def check_origin(origin: str) -> None:
    """Raise `UserError` unless browsers would send `origin` as it stands: scheme, host and port, nothing else."""
    parts = urlsplit(origin)
    if parts.scheme not in ("http", "https") or origin != f"{parts.scheme}://{parts.netloc}" or not parts.hostname:
        raise UserError(f"--allow_origin {origin}: give scheme, host and port alone, such as https://viewer.example")
    if origin != origin.lower() or set(origin) & set(", *@"):
        raise UserError(f"--allow_origin {origin}: give one origin in small letters; repeat the option for more")


def check_studies(folder: Path) -> int:
    """Number of images in the folder; `UserError` if there are none, or if labels cannot be put beside them."""
    if not folder.is_dir():
        raise UserError(f"--studies {folder}: no such folder; give the folder with the images")
    images = images_in(folder)
    if not images:
        raise UserError(f"--studies {folder}: no image in it; put {', '.join(IMAGE_SUFFIXES)} files there")
    stems = [file.stem.casefold() for file in images]
    twice = sorted(file.name for file in images if stems.count(file.stem.casefold()) > 1)
    if twice:
        raise UserError(f"--studies {folder}: {', '.join(twice)} would have labels of the same name; rename them")
    require_writable(folder)
    return len(images)


def images_in(folder: Path) -> list[Path]:
    """The images of a folder; hidden files are none."""
    return [file for file in folder.iterdir() if is_image(file.name)]


def is_image(name: str) -> bool:
    """Whether a file of that name is taken for an image."""
    return name.lower().endswith(IMAGE_SUFFIXES) and not name.startswith(".")


@contextmanager
def temporary_folder(app: Path) -> Iterator[Path]:
    """A folder of this user alone, for uploads and masks on their way; those that killed servers left are removed.

    Raises:
        UserError: another server uses the app's folder.
    """
    with lock(app):
        for left in app.glob(f"{TEMPORARY}*"):
            if not left.is_symlink():
                shutil.rmtree(left, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=TEMPORARY, dir=app.absolute(), ignore_cleanup_errors=True) as folder:
            yield Path(folder)


def serve(
    python: Path,
    app: Path,
    studies: Path,
    bundles: list[str],
    address: Address,
    channel: Sequence[int] | None = None,
    axes: str | None = None,
) -> None:
    """Run the server until the block is interrupted, or the server ends.

    Args:
        python: of MONAI Label's environment.
        app: folder of the app, with the bundles in its folder `model`.
        studies: folder of the images.
        bundles: names of the bundles.
        address: where it listens.
        channel: channels of the images that are read; None: all.
        axes: of TIFF files that do not name them.

    Raises:
        UserError: it does not start, or ends by itself; the message names its log.
    """
    log = app.absolute() / "server.log"
    port = address.port
    with temporary_folder(app) as temporary, log.open("w", encoding="utf-8") as output:
        server = subprocess.Popen(
            [*command(python, app, studies, bundles, address), *reading_options(channel, axes)],
            cwd=app,
            env=environment(studies, temporary),
            stdin=subprocess.PIPE,  # closed when this process ends in whatever way, and the server with it
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C in the terminal is for this process, which then ends the server
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # the same on Windows
        )
        try:
            wait_until_ready(server, port, log)
            print(f"ready: http://{HOST}:{port}/ in a browser, the same address in 3D Slicer, QuPath or CVAT")
            weights = ", ".join(str(app / "model" / bundle / "models") for bundle in bundles)
            print(f"labels go to {studies / 'labels' / 'final'}, weights to {weights}")
            print(f"messages: {log}; Ctrl-C stops the server", flush=True)
            server.wait()
        finally:
            stop(server)
        raise UserError(f"MONAI Label ended by itself ({last_line(log)}); its messages are in {log}")


def command(python: Path, app: Path, studies: Path, bundles: list[str], address: Address) -> list[str]:
    """The server's command line. `zoo_source local` keeps it from asking the internet for a list of bundles."""
    return [
        *(str(python), "-m", "monailabel.main", "start_server", "--uvicorn_app", "lib.served:app"),
        *("--app", str(app.absolute()), "--studies", str(studies.absolute())),
        *("--conf", "models", ",".join(bundles), "--conf", "zoo_source", "local"),
        *("--conf", "allow_origins", ",".join(address.origins), "--conf", "max_upload", str(address.max_upload)),
        *("--conf", "follow_starter", "true"),
        *("--host", HOST, "--port", str(address.port)),
    ]


def reading_options(channel: Sequence[int] | None, axes: str | None) -> list[str]:
    """The part of the server's command line that says how images are read."""
    given = {"channel": ",".join(map(str, channel or ())), "axes": axes or ""}
    return [part for key, value in given.items() if value for part in ("--conf", key, value)]


def environment(studies: Path, temporary: Path) -> dict[str, str]:
    """Environment of the server: nothing of this project on its path, all image formats of this project."""
    suffixes = {*IMAGE_SUFFIXES, ".nii.gz"}
    suffixes |= {suffix.upper() for suffix in suffixes} | {file.suffix for file in images_in(studies)}
    return {
        **{key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")},
        "PYTHONPATH": "",
        **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary)),  # the latter two on Windows
        "MONAI_LABEL_DATASTORE_FILE_EXT": json.dumps(sorted(f"*{suffix}" for suffix in suffixes)),
        "MONAI_LABEL_TRACKING_ENABLED": "false",
        "MONAI_LABEL_SESSIONS": "false",
        "MONAI_LABEL_RELOAD_APP_LIB": "false",  # else the app and `lib.served` have different classes of one name
    }


def wait_until_ready(server: subprocess.Popen, port: int, log: Path) -> None:
    """Return when the server answers; `UserError` if it ends or takes too long."""
    deadline = time.monotonic() + PATIENCE
    while server.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://{HOST}:{port}/info/", timeout=30):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise UserError(f"MONAI Label does not start ({last_line(log)}); its messages are in {log}")


def last_line(log: Path) -> str:
    """The last line of a log that is not empty."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
    return next((line for line in reversed(lines) if line), "no message")


def stop(server: subprocess.Popen) -> None:
    """End the server and the trainings it started."""
    processes: list[psutil.Process] = []
    with suppress(psutil.NoSuchProcess):
        main = psutil.Process(server.pid)
        processes = [*main.children(recursive=True), main]
    end_processes(processes, PATIENCE_AT_END)
    server.wait()
