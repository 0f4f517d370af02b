"""One request and its answer: what the application receives and sends (ASGI), and how it is written."""

from __future__ import annotations

import asyncio
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING

from hypercorn.config import Config
from starlette.types import ASGIApp, Message, Scope

if TYPE_CHECKING:
    from app.http.http1 import Http1

Headers = list[tuple[bytes, bytes]]
_STATUS = {status.value: b"HTTP/1.1 %d %s\r\n" % (status, status.phrase.encode()) for status in HTTPStatus}
_CLOSE, _CHUNKED = b"connection: close\r\n", b"transfer-encoding: chunked\r\n"
_BODILESS = frozenset({204, 304})


class Exchange:
    """Made when a request's head is read; its body comes in while it is answered."""

    __slots__ = (
        "_bodiless", "_chunked", "_connection", "_disconnected", "_expects", "_head", "_started", "_version", "body",
        "complete", "done", "last", "scope",
    )  # fmt: skip

    def __init__(self, connection: Http1, scope: Scope, *, keep_alive: bool) -> None:
        self.scope = scope
        self.body: list[bytes] = []
        self.complete = False
        """Whether all of the request has come."""
        self.last = not keep_alive
        """Whether the connection ends with it."""
        self.done = False
        self._connection = connection
        self._version = scope["http_version"]
        self._expects = (b"expect", b"100-continue") in scope["headers"] and self._version == "1.1"
        self._head = b""
        self._started = self._bodiless = self._chunked = self._disconnected = False

    @property
    def size(self) -> int:
        """Bytes of the body that wait."""
        return sum(map(len, self.body))

    async def answer(self, app: ASGIApp) -> None:
        """Let the application answer; whatever it does, the client learns of it."""
        connection = self._connection
        try:
            await app(self.scope, self.receive, self.send)
        except asyncio.CancelledError:
            self.last = True
            raise
        except Exception:
            await connection.config.log.exception("Error in ASGI Framework")
        if not self.done:  # it failed, or gave up half-way
            self.last = True
            if not self._started:
                await connection.write(refusal(500, connection.config))
        if not self.complete:
            self.last = True

    async def receive(self) -> Message:
        """ASGI: the next part of the body, at the end of it and of the connection `http.disconnect`."""
        connection = self._connection
        while not self.body and not self.complete and not connection.ending:
            if self._expects:
                self._expects = False
                await connection.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            await connection.something()
        if not self._disconnected and (self.body or self.complete):
            body = self.body[0] if len(self.body) == 1 else b"".join(self.body)
            self.body.clear()
            self._disconnected = self.complete
            return {"type": "http.request", "body": body, "more_body": not self.complete}
        while not connection.ending and not self.done:
            await connection.something()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """ASGI: head, then body; one write where the body comes whole."""
        kind = message["type"]
        if kind == "http.response.start" and not self._started and not self._head:
            self._head = self._head_of(message["status"], message.get("headers", ()))
        elif kind == "http.response.body" and self._head and not self.done:
            body, more = message.get("body", b""), message.get("more_body", False)
            data = b"" if self._bodiless else self._framed(body, more)
            if not self._started:
                data = self._head + (_CLOSE if self._ends() else b"") + b"\r\n" + data
                self._started = True
            self.done = not more
            await self._connection.write(data)
        else:
            raise RuntimeError(f"unexpected {kind} in this state of the answer")

    def _head_of(self, status: int, headers: Headers) -> bytes:
        parts = [_STATUS.get(status) or b"HTTP/1.1 %d \r\n" % status]
        sized = False
        for name, value in headers:
            if b"\n" in value or b"\r" in value or b"\n" in name or b"\r" in name:
                raise ValueError(f"the answer's header {name!r} holds a line break")
            lowered = name.lower()
            if lowered == b"connection":
                self.last |= value.lower() == b"close"
                continue
            sized |= lowered == b"content-length"
            parts.append(b"%b: %b\r\n" % (name, value))
        parts.append(standing_headers(self._connection.config, int(asyncio.get_running_loop().time())))
        self._bodiless = self.scope["method"] == "HEAD" or status in _BODILESS
        if not sized and not self._bodiless:
            self._chunked = self._version == "1.1"
            self.last |= not self._chunked
            parts.append(_CHUNKED if self._chunked else b"")
        return b"".join(parts)

    def _ends(self) -> bool:
        self.last = self.last or self._connection.last or not self.complete
        return self.last

    def _framed(self, body: bytes, more: bool) -> bytes:
        if not self._chunked:
            return body
        chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
        return chunk if more else chunk + b"0\r\n\r\n"


@lru_cache(maxsize=4)
def standing_headers(config: Config, second: int) -> bytes:  # noqa: ARG001  the second is what it is remembered by
    """Date and whatever else Hypercorn adds to every answer; made once a `second`."""
    return b"".join(b"%b: %b\r\n" % header for header in config.response_headers("h11"))


def refusal(status: int, config: Config) -> bytes:
    """The answer to what is no request; the connection ends with it."""
    standing = standing_headers(config, int(asyncio.get_running_loop().time()))
    return b"%bcontent-length: 0\r\n%b%b\r\n" % (_STATUS[status], standing, _CLOSE)
