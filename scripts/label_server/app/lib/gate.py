"""Who may call the server, how much may be sent, and what answers say: ASGI layers around MONAI Label.

A server on 127.0.0.1 is reached by every web page that is open in a browser on the same machine. Such a page is kept
out by its `Origin`, and one whose name was made to mean 127.0.0.1 (DNS rebinding) by the `Host`.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = Iterable[tuple[bytes, bytes]]

LOCAL = ("127.0.0.1", "localhost", "[::1]")
SMALL_BODY = 1 << 20  # limit in bytes for requests other than multipart forms
SAFE_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


def values(headers: Headers, name: str) -> list[str]:
    """All values of a header."""
    return [value.decode("latin-1").strip() for key, value in headers if key.lower() == name.encode()]


def refusal(method: str, headers: Headers, port: int, origins: Iterable[str] = ()) -> tuple[int, str] | None:
    """Status and reason if a request is not from this machine's own programs and pages; None if it is.

    Args:
        method: of HTTP.
        headers: of the request.
        port: that the server listens on.
        origins: of pages elsewhere that may call, such as "https://viewer.example".
    """
    headers = list(headers)
    hosts = values(headers, "host")
    if len(hosts) != 1 or hosts[0].lower() not in [f"{name}:{port}" for name in LOCAL]:
        return 400, f"unknown host; call this server as 127.0.0.1:{port} or localhost:{port}"
    allowed = {f"http://{hosts[0].lower()}", *origins}
    sent = values(headers, "origin")
    if any(origin.lower() not in allowed for origin in sent):
        return 403, "pages of other origins may not call this server; start it with --allow_origin to let one in"
    if not sent and any(site in ("cross-site", "same-site") for site in values(headers, "sec-fetch-site")):
        if method in ("GET", "HEAD") and values(headers, "sec-fetch-mode") == ["navigate"]:
            return None  # a link to this server, followed by the annotator
        return 403, "pages of other origins may not load from this server"
    return None


async def answer(send: Send, status: int, detail: str) -> None:
    """Send a whole answer in MONAI Label's form."""
    body = json.dumps({"detail": detail}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),  # what is left of the request is not read
        *SAFE_HEADERS,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Gate:
    """Answers only requests that `refusal` lets through."""

    def __init__(self, app: App, port: int, origins: Iterable[str] = ()) -> None:
        self.app, self.port, self.origins = app, port, frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
        elif refused := refusal(scope["method"], scope["headers"], self.port, self.origins):
            await answer(send, *refused)
        else:

            async def guarded(message: Message) -> None:
                if message["type"] == "http.response.start":
                    message = {**message, "headers": [*message.get("headers", ()), *self.added()]}
                await send(message)

            await self.app(scope, receive, guarded)

    def added(self) -> Headers:
        """Headers of every answer. Pages that are let in from elsewhere have to be able to read it."""
        return SAFE_HEADERS if not self.origins else SAFE_HEADERS[:2]


class TooLargeError(Exception):
    """A request has gone beyond its limit."""


class UploadLimit:
    """Ends requests with more than `limit` bytes while they come in; without files, with more than `SMALL_BODY`."""

    def __init__(self, app: App, limit: int) -> None:
        self.app, self.limit = app, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = list(scope["headers"])
        form = any(kind.lower().startswith("multipart/form-data") for kind in values(headers, "content-type"))
        limit = self.limit if form else min(self.limit, SMALL_BODY)
        detail = f"more than {limit >> 20} MB were sent; send less, or start the server with a larger --max_upload"
        if any(length.isdecimal() and int(length) > limit for length in values(headers, "content-length")):
            await answer(send, 413, detail)
            return
        got = 0
        started = False

        async def counted() -> Message:
            nonlocal got
            message = await receive()
            got += len(message.get("body", b""))
            if got > limit:
                raise TooLargeError
            return message

        async def passed(message: Message) -> None:
            nonlocal started
            if got <= limit or started:  # else the inner server's answer to TooLargeError
                started = True
                await send(message)

        try:
            await self.app(scope, counted, passed)
        except Exception:
            if got <= limit:
                raise
        if got > limit and not started:
            await answer(send, 413, detail)


class HidePaths:
    """Takes the server's folders out of texts and JSON that it answers.

    Args:
        app: the server inside.
        folders: what is written in place of each path. The longest is replaced first.
    """

    def __init__(self, app: App, folders: dict[str, str]) -> None:
        self.app = app
        ordered = sorted(folders.items(), key=lambda item: len(item[0]), reverse=True)
        self.folders = [(path.encode(), name.encode()) for path, name in ordered if len(path) > 1]

    def hidden(self, text: bytes) -> bytes:
        """The text without the paths."""
        for path, name in self.folders:
            text = text.replace(path, name)
        return text

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] == "HEAD":
            await self.app(scope, receive, send)
            return
        held: Message | None = None
        body = b""

        async def rewritten(message: Message) -> None:
            nonlocal held, body
            if message["type"] == "http.response.start" and is_text(message.get("headers", ())):
                held = message
            elif held is None:
                await send(message)
            else:
                body += message.get("body", b"")
                if not message.get("more_body"):
                    text, start, held = self.hidden(body), held, None
                    headers = [(key, value) for key, value in start["headers"] if key.lower() != b"content-length"]
                    length = (b"content-length", str(len(text)).encode())
                    await send({**start, "headers": [*headers, length]})
                    await send({"type": "http.response.body", "body": text})

        await self.app(scope, receive, rewritten)


def is_text(headers: Headers) -> bool:
    """Whether an answer is JSON or plain text. Files that are downloaded, pages and pictures pass as they are."""
    kinds = [kind.partition(";")[0].strip().lower() for kind in values(headers, "content-type")]
    return any(kind in ("application/json", "text/plain") for kind in kinds)
