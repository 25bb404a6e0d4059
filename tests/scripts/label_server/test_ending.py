"""How the server's processes end, tried with small programs in place of MONAI Label."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from custom.errors import UserError
from scripts.label_server import server
from scripts.label_server.server import Address, serve, stop

from .helpers import free_port

PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
time.sleep(60)
"""
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"


def start(code: str) -> tuple[subprocess.Popen, str]:
    """A process that runs `code`, and its first line of output."""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline()


class TestStop:
    def test_a_training_ends_with_its_server(self):
        process, child = start(PARENT)
        training = psutil.Process(int(child))
        stop(process)
        assert process.poll() is not None
        assert not training.is_running() or training.status() == psutil.STATUS_ZOMBIE

    def test_a_server_that_does_not_listen_is_killed(self, monkeypatch):
        monkeypatch.setattr(server, "PATIENCE_AT_END", 0.2)
        process, _ = start(DEAF)
        stop(process)
        assert process.poll() is not None

    def test_a_server_that_has_ended(self):
        process, _ = start("print()")
        process.wait()
        stop(process)
        assert process.poll() == 0


class TestServe:
    @pytest.mark.parametrize("answers", [False, True])
    def test_a_server_that_ends_by_itself(self, tmp_path, monkeypatch, answers):
        monkeypatch.setattr(server, "command", lambda *_: [sys.executable, "-c", "print('no such model')"])
        if answers:
            monkeypatch.setattr(server, "wait_until_ready", lambda *_: None)
        with pytest.raises(UserError, match=r"no such model.*server\.log") as raised:
            serve(Path(sys.executable), tmp_path, tmp_path, ["a"], Address(free_port()))
        assert ("ended by itself" in str(raised.value)) == answers
        assert not list(tmp_path.glob("temporary.*"))

    def test_an_interruption_passes_when_the_server_has_ended(self, tmp_path, monkeypatch):
        started: list[subprocess.Popen] = []

        def interrupted(process: subprocess.Popen, *_: object) -> None:
            started.append(process)
            raise KeyboardInterrupt

        monkeypatch.setattr(server, "command", lambda *_: [sys.executable, "-c", "import time; time.sleep(60)"])
        monkeypatch.setattr(server, "wait_until_ready", interrupted)
        with pytest.raises(KeyboardInterrupt):
            serve(Path(sys.executable), tmp_path, tmp_path, ["a"], Address(free_port()))
        assert started[0].poll() is not None
