"""A headless Chromium, driven over the WebDriver protocol with nothing but the standard library."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
FLAGS = """--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking
--disable-component-update --disable-sync --window-size=1280,1600""".split()  # noqa: SIM905 (a list of strings would be longer)
# No proxy stands between this process and the driver on the same machine.
_open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


class Browser:
    """One window."""

    def __init__(self, address: str) -> None:
        self.address = address

    def call(self, method: str, path: str, **body: Any) -> Any:
        """A WebDriver command of this session."""
        return _call(f"{self.address}{path}", method, body)

    def open(self, file: Path) -> None:
        """Show a file and wait until its first picture is drawn."""
        self.call("POST", "/url", url=file.as_uri())
        self.wait("document.getElementById('canvas').dataset.shown || !document.querySelector('.show')")

    def script(self, text: str) -> Any:
        """The value of a JavaScript expression."""
        return self.call("POST", "/execute/sync", script=f"return {text};", args=[])

    def wait(self, condition: str, seconds: float = 20) -> None:
        """Until a JavaScript expression is true."""
        end = time.monotonic() + seconds
        while not self.script(condition):
            assert time.monotonic() < end, f"never came true: {condition}"
            time.sleep(0.05)

    def press(self, keys: str) -> None:
        """Type keys into whatever has the focus."""
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self.call("POST", "/actions", actions=[{"type": "key", "id": "keys", "actions": actions}])

    def prefer(self, scheme: str) -> None:
        """Let the page believe that the reader prefers `light` or `dark`."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("POST", "/goog/cdp/execute", cmd="Emulation.setEmulatedMedia", params={"features": features})

    def log(self) -> list[dict[str, Any]]:
        """What the console has got since the last call."""
        return self.call("POST", "/se/log", type="browser")

    def screenshot(self, file: Path) -> None:
        """The window as PNG."""
        file.write_bytes(base64.b64decode(self.call("GET", "/screenshot")))


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """Start a driver and a window with the new profile folder `profile`; both end with the block."""
    driver = subprocess.Popen([str(DRIVER), "--port=0"], stdout=subprocess.PIPE, text=True)
    session = ""
    try:
        assert driver.stdout is not None
        port = next(line.split()[-1].rstrip(".") for line in driver.stdout if "successfully on port" in line)
        options = {"binary": CHROMIUM, "args": [*FLAGS, f"--user-data-dir={profile}"]}
        wanted = {"alwaysMatch": {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}}
        base = f"http://127.0.0.1:{port}/session"
        session = f"{base}/{_call(base, 'POST', {'capabilities': wanted})['sessionId']}"
        yield Browser(session)
    finally:
        if session:
            _call(session, "DELETE", {})
        driver.terminate()
        driver.wait(10)


def _call(url: str, method: str, body: dict[str, Any]) -> Any:
    data = json.dumps(body).encode() if method == "POST" else None
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    try:
        with _open(request, timeout=60) as answer:
            return json.load(answer)["value"]
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{url}: {error.read().decode()[:500]}") from error
