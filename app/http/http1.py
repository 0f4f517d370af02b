"""One HTTP/1.1 connection: requests read by httptools (llhttp), answered one after the other, each in one write.

Takes the place of Hypercorn's h11 protocol with its task, queue and timer per request; sockets, lifespan and shutdown
stay Hypercorn's. docs/decisions/http1-by-httptools.md has the figures.
"""

from __future__ import annotations

import asyncio
from collections import deque
from urllib.parse import unquote

import httptools
from hypercorn.config import Config
from starlette.types import ASGIApp, Scope

from app.http.exchange import Exchange, Headers, refusal

BODY_AT_ONCE = 256 * 1024
"""Bytes of a body that wait for the application before the client has to pause."""
WAITING_AT_MOST = 32
"""Requests read ahead of their answers."""


class HeadTooLarge(Exception):
    """The head of a request passes its bound."""


class Http1(asyncio.Protocol):
    """Bytes in, exchanges out; `run` answers them in their order until the connection is over."""

    def __init__(self, app: ASGIApp, config: Config, transport: asyncio.Transport, base: Scope) -> None:
        self._app = app
        self.config = config
        self._transport = transport
        self._base = base
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._headers: Headers = []
        self._head_bytes = 0
        self._in_head = True
        self._reading: Exchange | None = None
        self._waiting: deque[Exchange] = deque()
        self._moved: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._paused = False
        self.answered = 0
        self._refuse = 0
        """Status to answer with after what was read well."""
        self._closing = False
        """Ends after the request that is coming in."""
        self.ending = False
        """Nothing more is read; what was asked is still answered."""
        self.lost = False

    # ---- what the transport tells

    def data_received(self, data: bytes) -> None:
        if self.ending:
            return
        if self._in_head:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
            if self._in_head:
                self._bound(self._head_bytes)
        except httptools.HttpParserUpgrade:
            self.ending = True  # not for us: it gets its answer, and what follows is not HTTP
        except (HeadTooLarge, httptools.HttpParserError) as error:
            large = isinstance(error, HeadTooLarge) or isinstance(error.__context__, HeadTooLarge)
            self.ending, self._refuse = True, 431 if large else 400
        self.wake()

    def eof_received(self) -> bool:
        self.ending = True
        self.wake()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.ending = self.lost = True
        self.wake()
        self.resume_writing()

    def pause_writing(self) -> None:
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    # ---- what the parser tells

    def on_message_begin(self) -> None:
        self._url, self._headers = b"", []

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self._in_head, self._head_bytes = False, 0
        self._bound(len(self._url) + sum(len(name) + len(value) + 4 for name, value in self._headers))
        url, _, query = self._url.partition(b"?")
        path = url if url[:1] == b"/" else httptools.parse_url(url).path or b"/"
        version = self._parser.get_http_version()
        scope: Scope = {
            **self._base,
            "http_version": version,
            "method": self._parser.get_method().decode("ascii"),
            "path": unquote(path.decode("latin-1")),
            "raw_path": path,
            "query_string": query,
            "headers": self._headers,
            "state": self._base["state"].copy(),
            "extensions": {},
        }
        self._reading = Exchange(self, scope, keep_alive=self._parser.should_keep_alive())
        self._waiting.append(self._reading)

    def on_body(self, body: bytes) -> None:
        assert self._reading is not None
        self._reading.body.append(body)

    def on_message_complete(self) -> None:
        assert self._reading is not None
        self._reading.complete = True
        self._reading, self._in_head = None, True
        self.ending = self.ending or self._closing

    def _bound(self, size: int) -> None:
        if size > self.config.h11_max_incomplete_size:
            raise HeadTooLarge

    # ---- what answers need

    async def run(self) -> None:
        """Answer until the client or the server wants no more."""
        while not self.lost:
            if self._waiting:
                exchange = self._waiting[0]
                self.answered += 1
                await exchange.answer(self._app)
                if exchange.last:
                    break
                self._waiting.popleft()
            elif self.ending:
                if self._refuse:
                    self._transport.write(refusal(self._refuse, self.config))
                break
            else:
                await self.something()

    @property
    def last(self) -> bool:
        """Whether the connection is to end after the exchange being answered."""
        return (self.ending and len(self._waiting) == 1 and not self._refuse) or (
            self.answered >= self.config.keep_alive_max_requests
        )

    @property
    def idle(self) -> bool:
        return not self._waiting

    def end(self) -> None:
        """Answer what was asked, what is still coming in of it included; take nothing more."""
        self._closing = True
        self.ending = self.ending or self._reading is None
        self.wake()

    async def write(self, data: bytes) -> None:
        if not self.lost:
            self._transport.write(data)
            if self._writable is not None:
                await self._writable

    async def something(self) -> None:
        """Return when anything has come in, or the connection is over."""
        self._hold_back()
        self._moved = self._loop.create_future()
        await self._moved

    def wake(self) -> None:
        if self._moved is not None and not self._moved.done():
            self._moved.set_result(None)
        self._hold_back()

    def _hold_back(self) -> None:
        """Let the client send, or not, by how much waits for the application."""
        full = len(self._waiting) > WAITING_AT_MOST or (
            self._reading is not None and len(self._reading.body) > 1 and self._reading.size > BODY_AT_ONCE
        )
        if full != self._paused and not self.lost:
            self._paused = full
            (self._transport.pause_reading if full else self._transport.resume_reading)()
