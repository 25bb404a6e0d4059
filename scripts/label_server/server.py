"""The MONAI Label server: started, waited for, stopped."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from custom.data.decode import IMAGE_SUFFIXES
from custom.errors import UserError

HOST = "127.0.0.1"
PATIENCE = 180  # seconds until the server must answer


def check_port(port: int) -> None:
    """Raise `UserError` if nothing can listen there."""
    if not 0 < port < 65536:
        raise UserError(f"--port {port}: give a number from 1 to 65535")
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind((HOST, port))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise UserError(f"--port {port}: {reason}; stop what uses it or choose another") from error


def check_studies(folder: Path) -> int:
    """Number of images in the folder; `UserError` if there are none."""
    if not folder.is_dir():
        raise UserError(f"--studies {folder}: no such folder; give the folder with the images")
    images = [f for f in folder.iterdir() if f.suffix.lower() in IMAGE_SUFFIXES and not f.name.startswith(".")]
    if not images:
        raise UserError(f"--studies {folder}: no image in it; put {', '.join(IMAGE_SUFFIXES)} files there")
    stems = [file.stem for file in images]
    twice = sorted(file.name for file in images if stems.count(file.stem) > 1)
    if twice:
        raise UserError(f"--studies {folder}: {', '.join(twice)} would have labels of the same name; rename them")
    return len(images)


def serve(python: Path, app: Path, studies: Path, bundles: list[str], port: int) -> None:
    """Run the server until Ctrl-C or a request to terminate.

    Raises:
        UserError: it does not start; the message names its log.
    """
    log = app.absolute() / "server.log"
    with log.open("w") as output:
        server = subprocess.Popen(
            command(python, app, studies, bundles, port),
            cwd=app,
            env=environment(),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            wait_until_ready(server, port, log)
            print(f"ready: http://{HOST}:{port}/ in a browser, the same address in 3D Slicer, QuPath or CVAT")
            weights = ", ".join(str(app / "model" / bundle / "models") for bundle in bundles)
            print(f"labels go to {studies / 'labels' / 'final'}, weights to {weights}")
            print(f"messages: {log}; Ctrl-C stops the server", flush=True)
            server.wait()
        except KeyboardInterrupt:
            print("stopped")
        finally:
            signal.signal(signal.SIGTERM, before)
            stop(server)


def command(python: Path, app: Path, studies: Path, bundles: list[str], port: int) -> list[str]:
    """The server's command line. `zoo_source local` keeps it from asking the internet for a list of bundles."""
    return [
        *(str(python), "-m", "monailabel.main", "start_server"),
        *("--app", str(app.absolute()), "--studies", str(studies.absolute())),
        *("--conf", "models", ",".join(bundles), "--conf", "zoo_source", "local"),
        *("--host", HOST, "--port", str(port)),
    ]


def environment() -> dict[str, str]:
    """Environment of the server: nothing of this project on its path, all image formats of this project."""
    patterns = [f"*{suffix}" for suffix in (*IMAGE_SUFFIXES, ".nii.gz")]
    return {
        **{key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")},
        "PYTHONPATH": "",
        "MONAI_LABEL_DATASTORE_FILE_EXT": json.dumps(patterns),
        "MONAI_LABEL_TRACKING_ENABLED": "false",
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
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()] or ["no message"]
    raise UserError(f"MONAI Label does not start ({lines[-1].strip()}); its messages are in {log}")


def stop(server: subprocess.Popen) -> None:
    """End the server and the trainings it started."""
    if server.poll() is None:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(timeout=15)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
