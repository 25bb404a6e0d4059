"""Foreign pages and hosts are kept out, large requests end while they come in, and answers name no folders."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from scripts.label_server.app.lib.gate import SMALL_BODY, Gate, HidePaths, UploadLimit, refusal

PORT = 8123
OWN = f"127.0.0.1:{PORT}"


def encoded(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers.items()]


def call(app: Any, chunks: tuple[bytes, ...] = (b"",), **scope: Any) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of an app's answer to a request whose body comes in chunks."""
    sent: list[dict[str, Any]] = []
    waiting = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    waiting[-1]["more_body"] = False

    async def receive() -> dict[str, Any]:
        return waiting.pop(0)

    async def send(message: Any) -> None:
        sent.append(dict(message))

    headers = encoded(scope.pop("headers", {}))
    request = {"type": "http", "method": "POST", "path": "/", "headers": headers, **scope}
    asyncio.run(app(request, receive, send))
    assert [message["type"] for message in sent].count("http.response.start") == 1
    body = b"".join(message.get("body", b"") for message in sent)
    answered = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    assert answered.get("content-length", str(len(body))) == str(len(body))
    return sent[0]["status"], answered, body


class Echo:
    """Reads the whole request and answers it; remembers how much it was given."""

    def __init__(self, kind: str = "application/octet-stream", answer: bytes | None = None) -> None:
        self.kind, self.answer, self.seen = kind, answer, b""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        more = True
        while more:
            message = await receive()
            self.seen += message["body"]
            more = message["more_body"]
        body = self.seen if self.answer is None else self.answer
        headers = encoded({"content-type": self.kind, "content-length": str(len(body))})
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body[:3], "more_body": True})
        await send({"type": "http.response.body", "body": body[3:]})


class TestRefusal:
    @pytest.mark.parametrize("host", [OWN, f"localhost:{PORT}", f"LOCALHOST:{PORT}", f"[::1]:{PORT}"])
    def test_programs_of_this_machine_may_call(self, host):
        assert refusal("POST", encoded({"host": host}), PORT) is None

    @pytest.mark.parametrize(
        "host",
        ["evil.example", f"evil.example:{PORT}", "127.0.0.1", "127.0.0.1:80", f"127.0.0.1.evil.example:{PORT}", ""],
    )
    def test_other_hosts_are_refused(self, host):
        assert refusal("GET", encoded({"host": host}), PORT)[0] == 400

    def test_no_host_and_two_hosts_are_refused(self):
        assert refusal("GET", [], PORT)[0] == 400
        assert refusal("GET", [(b"host", OWN.encode())] * 2, PORT)[0] == 400

    @pytest.mark.parametrize("host", [OWN, f"localhost:{PORT}"])
    def test_the_servers_own_page_may_call(self, host):
        assert refusal("POST", encoded({"host": host, "origin": f"http://{host}"}), PORT) is None

    @pytest.mark.parametrize(
        "origin",
        [
            "http://evil.example",
            "null",
            f"https://{OWN}",
            f"http://localhost:{PORT}",
            "http://127.0.0.1:3000",
            f"http://{OWN}.a",
        ],
    )
    def test_pages_of_other_origins_are_refused(self, origin):
        for method in ("GET", "POST", "OPTIONS"):
            assert refusal(method, encoded({"host": OWN, "origin": origin}), PORT)[0] == 403

    def test_a_page_that_is_let_in(self):
        headers = encoded({"host": OWN, "origin": "https://viewer.example"})
        assert refusal("POST", headers, PORT, ["https://viewer.example"]) is None
        assert refusal("POST", headers, PORT, ["https://viewer.example:444"])[0] == 403

    @pytest.mark.parametrize("site", ["cross-site", "same-site"])
    def test_pages_elsewhere_cannot_embed_but_link(self, site):
        headers = {"host": OWN, "sec-fetch-site": site}
        assert refusal("GET", encoded({**headers, "sec-fetch-mode": "no-cors"}), PORT)[0] == 403
        assert refusal("GET", encoded({**headers, "sec-fetch-mode": "navigate"}), PORT) is None
        assert refusal("POST", encoded({**headers, "sec-fetch-mode": "navigate"}), PORT)[0] == 403


class TestGate:
    def test_a_refused_request_does_not_reach_the_server(self):
        inside = Echo()
        status, headers, body = call(Gate(inside, PORT), (b"secret",), headers={"host": "evil.example"})
        assert (status, inside.seen) == (400, b"")
        assert f"127.0.0.1:{PORT}" in json.loads(body)["detail"]
        assert "access-control-allow-origin" not in headers

    def test_an_answer_says_that_it_is_for_this_origin_alone(self):
        status, headers, body = call(Gate(Echo(), PORT), (b"mask",), headers={"host": OWN})
        assert (status, body) == (200, b"mask")
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in headers

    def test_web_sockets_are_closed(self):
        sent = []

        async def send(message: Any) -> None:
            sent.append(message["type"])

        asyncio.run(Gate(Echo(), PORT)({"type": "websocket", "headers": []}, None, send))
        assert sent == ["websocket.close"]


FORM = {"content-type": "multipart/form-data; boundary=x"}
LIMIT = 3 << 20


class TestUploadLimit:
    def test_what_is_within_it_passes(self):
        status, _, body = call(UploadLimit(Echo(), LIMIT), (b"x" * (LIMIT - 1), b"y"), headers=FORM)
        assert (status, len(body)) == (200, LIMIT)

    def test_a_large_request_ends_while_it_comes_in(self):
        inside = Echo()
        status, _, body = call(UploadLimit(inside, LIMIT), (b"x" * LIMIT, b"y", b"z" * LIMIT), headers=FORM)
        assert (status, len(inside.seen)) == (413, LIMIT)
        assert "more than 3 MB" in json.loads(body)["detail"]

    def test_an_announced_length_is_refused_unread(self):
        inside = Echo()
        status, *_ = call(UploadLimit(inside, LIMIT), (b"x",), headers={**FORM, "content-length": str(LIMIT + 1)})
        assert (status, inside.seen) == (413, b"")

    def test_a_server_that_hides_the_end_of_the_request_does_not_answer_for_it(self):
        async def tolerant(scope: Any, receive: Any, send: Any) -> None:
            try:
                await Echo()(scope, receive, send)
            except Exception:
                await send({"type": "http.response.start", "status": 200, "headers": []})
                await send({"type": "http.response.body", "body": b"fine"})

        assert call(UploadLimit(tolerant, LIMIT), (b"x" * LIMIT, b"y"), headers=FORM)[0] == 413

    def test_requests_without_files_are_small(self):
        headers = {"content-type": "application/json"}
        assert call(UploadLimit(Echo(), LIMIT), (b"x" * SMALL_BODY,), headers=headers)[0] == 200
        assert call(UploadLimit(Echo(), LIMIT), (b"x" * SMALL_BODY, b"y"), headers=headers)[0] == 413

    def test_errors_of_the_server_pass(self):
        async def broken(scope: Any, receive: Any, send: Any) -> None:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            call(UploadLimit(broken, LIMIT))


FOLDERS = {"/home/ann/images": "studies", "/home/ann": "~", "/tmp/x/": "", "/": "root"}


class TestHidePaths:
    @pytest.mark.parametrize("kind", ["application/json", "text/plain; charset=utf-8"])
    def test_messages_name_no_folders(self, kind):
        text = b'{"a": "/home/ann/images/b.png", "c": "/home/ann/.cache", "d": "/tmp/x/mask.png", "e": "a/b"}'
        _, _, body = call(HidePaths(Echo(kind, text), FOLDERS))
        assert body == b'{"a": "studies/b.png", "c": "~/.cache", "d": "mask.png", "e": "a/b"}'

    def test_files_pass_as_they_are(self):
        _, _, body = call(HidePaths(Echo("image/png", b"\x89 /home/ann/images"), FOLDERS))
        assert body == b"\x89 /home/ann/images"
