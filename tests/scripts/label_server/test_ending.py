"""How the server's processes end, tried with small programs in place of MONAI Label."""

from __future__ import annotations

import subprocess
import sys
import time
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
FOLLOWING = f"""
import os, subprocess, sys, time
sys.path.insert(0, {str(Path(server.__file__).with_name("app"))!r})
from lib.starter import follow_starter
follow_starter()
"""
STARTER = """
import sys, time
from pathlib import Path
from scripts.label_server import server
server.command = lambda *_: [sys.executable, "serving.py"]
server.wait_until_ready = lambda *_: print("started", flush=True)
server.serve(Path(sys.executable), Path({folder!r}), Path({folder!r}), ["a"], server.Address(1))
"""


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


class TestFollowStarter:
    def test_a_server_and_its_training_end_when_their_starter_is_killed(self, tmp_path):
        (tmp_path / "training.py").write_text(FOLLOWING + "print(os.getpid(), flush=True); time.sleep(60)")
        (tmp_path / "serving.py").write_text(
            FOLLOWING
            + "subprocess.Popen([sys.executable, 'training.py']); print(os.getpid(), flush=True); time.sleep(60)"
        )
        process, _ = start(STARTER.format(folder=str(tmp_path)))
        following: list[psutil.Process] = []
        deadline = time.monotonic() + 20
        while len(following) < 2 and time.monotonic() < deadline:
            time.sleep(0.1)
            following = [psutil.Process(int(line)) for line in (tmp_path / "server.log").read_text().split()]
        assert len(following) == 2
        process.kill()
        process.wait()
        _, alive = psutil.wait_procs(following, timeout=10)
        assert alive == []


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
