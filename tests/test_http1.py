"""HTTP/1.1 as Hypercorn speaks it and as httptools under Hypercorn does: the same promises for both."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.asyncio.run import worker_serve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from app.config import parse_config
from app.http.connection import http1_by_httptools
from app.serve import hypercorn_config

pytestmark = pytest.mark.anyio
BOTH = pytest.mark.parametrize("fast", [False, True], ids=["stock", "httptools"])


@dataclass
class Shop:
    """A small application, and what became of requests it could not answer."""

    gone: asyncio.Event = field(default_factory=asyncio.Event)
    entered: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def echo(self, request: Request) -> Response:
        try:
            return Response(await request.body())
        except ClientDisconnect:
            self.gone.set()
            raise

    async def told(self, request: Request) -> Response:
        return PlainTextResponse(f"{request.method} {request.url.path} {request.query_params} {request.headers['x-a']}")

    async def refuse(self, request: Request) -> Response:
        return PlainTextResponse("too large", 413)

    async def stream(self, request: Request) -> Response:
        async def parts() -> AsyncIterator[bytes]:
            yield b"one"
            yield b"two"

        return StreamingResponse(parts())

    async def slow(self, request: Request) -> Response:
        self.entered.set()
        await self.go_on.wait()
        return PlainTextResponse("at last")

    async def fail(self, request: Request) -> Response:
        raise RuntimeError("as planned")

    async def split(self, request: Request) -> Response:
        answer = PlainTextResponse("split")
        answer.raw_headers.append((b"x-b", b"1\r\nx-c: 2"))
        return answer

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/echo", self.echo, methods=["POST"]),
                Route("/told/{name}", self.told, methods=["GET"]),
                *(Route(f"/{name}", getattr(self, name), methods=["GET", "POST"])
                  for name in ("refuse", "stream", "slow", "fail", "split")),
            ]
        )  # fmt: skip


@asynccontextmanager
async def serving(
    shop: Shop, *, fast: bool, stop: asyncio.Event | None = None, **server: object
) -> AsyncIterator[tuple[str, int]]:
    config = hypercorn_config(parse_config({"server": {"bind": "127.0.0.1:0", "drain_seconds": 2.0, **server}}))
    config.errorlog = None
    sockets = config.create_sockets()
    listener = sockets.insecure_sockets[0]
    listener.listen(config.backlog)
    stop = stop or asyncio.Event()
    wrapper = ASGIWrapper(shop.app())  # type: ignore[arg-type]
    with http1_by_httptools() if fast else nullcontext():
        async with asyncio.TaskGroup() as group:
            group.create_task(worker_serve(wrapper, config, sockets=sockets, shutdown_trigger=stop.wait))
            try:
                yield listener.getsockname()
            finally:
                stop.set()


class Client:
    """Bytes over a real socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, text: bytes) -> None:
        self.writer.write(text)
        await self.writer.drain()

    async def answer(self, *, bodiless: bool = False) -> tuple[int, dict[str, str], bytes]:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        status = int(head[0].split()[1])
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        if bodiless or status < 200:
            return status, headers, b""
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int((await self.reader.readline()), 16):
                body += (await self.reader.readexactly(size + 2))[:-2]
            await self.reader.readline()
            return status, headers, body
        if "content-length" in headers:
            return status, headers, await self.reader.readexactly(int(headers["content-length"]))
        return status, headers, await self.reader.read()

    async def ended(self) -> bool:
        async with asyncio.timeout(5):
            try:
                return await self.reader.read() == b""
            except ConnectionResetError:
                return True


@asynccontextmanager
async def client(address: tuple[str, int]) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection(*address)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()


def post(body: bytes, path: str = "/echo", *headers: str) -> bytes:
    more = "".join(f"{header}\r\n" for header in headers)
    return f"POST {path} HTTP/1.1\r\nHost: shop\r\n{more}Content-Length: {len(body)}\r\n\r\n".encode() + body


@BOTH
async def test_a_connection_serves_one_request_after_the_other(fast: bool) -> None:
    async with serving(Shop(), fast=fast) as address, client(address) as shopper:
        for body in (b"first", b"second", b""):
            await shopper.send(post(body))
            status, headers, echoed = await shopper.answer()
            assert (status, echoed) == (200, body)
            assert "date" in headers


@BOTH
async def test_the_application_is_told_what_was_asked(fast: bool) -> None:
    async with serving(Shop(), fast=fast) as address, client(address) as shopper:
        await shopper.send(b"GET /told/a%20b?x=1&y=%C3%A9 HTTP/1.1\r\nHost: shop\r\nX-A: yes\r\n\r\n")
        assert (await shopper.answer())[2].decode() == "GET /told/a b x=1&y=%C3%A9 yes"


@BOTH
async def test_requests_sent_at_once_are_answered_in_their_order(fast: bool) -> None:
    async with serving(Shop(), fast=fast) as address, client(address) as shopper:
        await shopper.send(b"".join(post(str(number).encode()) for number in range(100)))
        assert [(await shopper.answer())[2] for _ in range(100)] == [str(number).encode() for number in range(100)]


@BOTH
async def test_a_body_in_chunks_arrives_whole(fast: bool) -> None:
    async with serving(Shop(), fast=fast) as address, client(address) as shopper:
        await shopper.send(b"POST /echo HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        await shopper.send(b"6\r\n world\r\n0\r\n\r\n" + post(b"next"))
        assert (await shopper.answer())[2] == b"hello world"
        assert (await shopper.answer())[2] == b"next"


@BOTH
async def test_a_body_larger_than_any_buffer_arrives_whole(fast: bool) -> None:
    body = bytes(range(256)) * 20_000
    async with serving(Shop(), fast=fast) as address, client(address) as shopper, asyncio.TaskGroup() as group:
        group.create_task(shopper.send(post(body)))
        assert (await shopper.answer())[2] == body


@BOTH
async def test_who_waits_for_a_go_ahead_gets_it(fast: bool) -> None:
    async with serving(Shop(), fast=fast) as address, client(address) as shopper:
        await shopper.send(b"POST /echo HTTP/1.1\r\nHost: shop\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert (await shopper.answer())[0] == 100
        await shopper.send(b"ok")
        assert (await shopper.answer())[2] == b"ok"


@BOTH
async def test_an_answer_before_the_body_ends_the_connection(fast: bool) -> None:
    async with serving(Shop(), fast=fast) as address, client(address) as shopper:
        await shopper.send(b"POST /refuse HTTP/1.1\r\nHost: shop\r\nContent-Length: 1000000\r\n\r\nbegun")
        assert (await shopper.answer())[0] == 413
        assert await shopper.ended()


@pytest.mark.parametrize(
    ("fast", "end"), [(False, b""), (True, b""), (True, b"\r\n\r\n")], ids=["stock", "httptools", "httptools, whole"]
)
async def test_a_head_beyond_its_bound_is_refused(fast: bool, end: bytes) -> None:
    async with serving(Shop(), fast=fast) as address, client(address) as shopper:
        await shopper.send(b"GET /told/a HTTP/1.1\r\nHost: shop\r\nX-A: " + b"a" * 40_000 + end)
        assert (await shopper.answer())[0] == 431
        assert await shopper.ended()


@BOTH
@pytest.mark.parametrize("nonsense", [b"hello\r\n\r\n", b"GET / HTTP/1.1\r\nno colon\r\n\r\n", b"\x16\x03\x01\x02\x00"])
async def test_nonsense_is_refused_and_what_came_before_is_answered(fast: bool, nonsense: bytes) -> None:
    async with serving(Shop(), fast=fast) as address, client(address) as shopper:
        await shopper.send(post(b"sense"))
        assert (await shopper.answer())[2] == b"sense"
        await shopper.send(nonsense + b"\r\n\r\n")
        assert (await shopper.answer())[0] == 400
        assert await shopper.ended()


@BOTH
async def test_a_length_and_chunks_at_once_are_refused(fast: bool) -> None:
    """Two readers could see two different requests in it (RFC 9112, 6.3: request smuggling)."""
    async with serving(Shop(), fast=fast) as address, client(address) as shopper:
        head = b"POST /echo HTTP/1.1\r\nHost: shop\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello"
        await shopper.send(head)
        assert (await shopper.answer())[0] == 400


@BOTH
async def test_an_application_learns_that_its_client_went_away(fast: bool) -> None:
    shop = Shop()
    async with serving(shop, fast=fast) as address:
        async with client(address) as shopper:
            await shopper.send(b"POST /echo HTTP/1.1\r\nHost: shop\r\nContent-Length: 100\r\n\r\nbegun")
        async with asyncio.timeout(5):
            await shop.gone.wait()


@BOTH
async def test_an_answer_of_unknown_length_comes_in_chunks(fast: bool) -> None:
    async with serving(Shop(), fast=fast) as address, client(address) as shopper:
        await shopper.send(b"GET /stream HTTP/1.1\r\nHost: shop\r\n\r\n" + post(b"next"))
        assert (await shopper.answer())[2] == b"onetwo"
        assert (await shopper.answer())[2] == b"next"


@BOTH
async def test_http_1_0_gets_its_answer_and_the_end(fast: bool) -> None:
    async with serving(Shop(), fast=fast) as address, client(address) as shopper:
        await shopper.send(b"GET /stream HTTP/1.0\r\nHost: shop\r\n\r\n")
        assert (await shopper.answer())[2] == b"onetwo"
        assert await shopper.ended()


@BOTH
async def test_head_tells_the_length_without_the_body(fast: bool) -> None:
    async with serving(Shop(), fast=fast) as address, client(address) as shopper:
        await shopper.send(b"HEAD /told/a HTTP/1.1\r\nHost: shop\r\nX-A: yes\r\n\r\n" + post(b"next"))
        status, headers, _ = await shopper.answer(bodiless=True)
        assert (status, headers["content-length"]) == (200, str(len("HEAD /told/a  yes")))
        assert (await shopper.answer())[2] == b"next"


@BOTH
async def test_a_client_that_wants_no_more_is_left(fast: bool) -> None:
    async with serving(Shop(), fast=fast) as address, client(address) as shopper:
        await shopper.send(post(b"last", "/echo", "Connection: close"))
        _, headers, body = await shopper.answer()
        assert (body, headers["connection"]) == (b"last", "close")
        assert await shopper.ended()


@BOTH
async def test_a_connection_ends_after_as_many_requests_as_it_may_carry(fast: bool) -> None:
    async with serving(Shop(), fast=fast, keep_alive_requests=2) as address, client(address) as shopper:
        for _ in range(2):
            await shopper.send(post(b"again"))
            assert (await shopper.answer())[2] == b"again"
        assert await shopper.ended()


@BOTH
async def test_an_idle_connection_is_ended(fast: bool) -> None:
    async with serving(Shop(), fast=fast, keep_alive_seconds=1) as address, client(address) as shopper:
        assert await shopper.ended()


@BOTH
async def test_a_failing_application_answers_500(fast: bool) -> None:
    async with serving(Shop(), fast=fast) as address, client(address) as shopper:
        await shopper.send(b"GET /fail HTTP/1.1\r\nHost: shop\r\n\r\n")
        assert (await shopper.answer())[0] == 500


@BOTH
async def test_stopping_answers_what_was_asked_and_ends_what_idles(fast: bool) -> None:
    shop, stop = Shop(), asyncio.Event()
    async with serving(shop, fast=fast, stop=stop) as address, client(address) as idle, client(address) as busy:
        await idle.send(post(b"before"))
        await idle.answer()
        await busy.send(b"GET /slow HTTP/1.1\r\nHost: shop\r\n\r\n")
        await shop.entered.wait()
        stop.set()
        assert await idle.ended()
        shop.go_on.set()
        assert (await busy.answer())[2] == b"at last"
        assert await busy.ended()


async def test_a_header_cannot_bring_another_along() -> None:
    async with serving(Shop(), fast=True) as address, client(address) as shopper:
        await shopper.send(b"GET /split HTTP/1.1\r\nHost: shop\r\n\r\n")
        status, headers, _ = await shopper.answer()
        assert status == 500
        assert "x-c" not in headers


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(1, 230), max_size=12))
async def test_it_does_not_matter_how_the_network_cuts_requests(cuts: list[int]) -> None:
    chunked = b"POST /echo HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    text = post(b"first") + chunked + post(b"last")
    places = [0, *sorted({cut for cut in cuts if cut < len(text)}), len(text)]
    async with serving(Shop(), fast=True) as address, client(address) as shopper:
        for start, end in pairwise(places):
            await shopper.send(text[start:end])
            await asyncio.sleep(0)
        assert [(await shopper.answer())[2] for _ in range(3)] == [b"first", b"abcde", b"last"]
