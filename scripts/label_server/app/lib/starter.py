"""The server and its trainings end with the process that started the server, even where that one was killed."""

from __future__ import annotations

import os
import signal
import sys
import threading


def follow_starter() -> None:
    """End this process when nothing holds the other end of its standard input any more.

    The starter holds it as long as it lives, and sends nothing. A training inherits the standard input of the server.
    Without this a server that lost its starter would keep its port, and a training would write below a new server.
    """
    threading.Thread(target=_wait, args=(sys.stdin.fileno(),), daemon=True).start()


def _wait(descriptor: int) -> None:
    while os.read(descriptor, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
