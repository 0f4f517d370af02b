"""Takes connections over from Hypercorn, which accepted them, and gives each back its end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any, cast

from hypercorn.asyncio import run as hypercorn_run
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from hypercorn.utils import parse_socket_addr
from starlette.types import ASGIApp

from app.http.http1 import Http1

_NAME = "TCPServer"


@contextlib.contextmanager
def http1_by_httptools() -> Iterator[None]:
    """While in force, Hypercorn's connections without TLS are read by httptools."""
    # worker_serve looks the name up for every connection; both are called alike and awaited alike.
    setattr(hypercorn_run, _NAME, serve_connection)
    try:
        yield
    finally:
        setattr(hypercorn_run, _NAME, TCPServer)


async def serve_connection(
    app: Any,  # noqa: ANN401  Hypercorn's wrapper of an ASGI application
    loop: asyncio.AbstractEventLoop,
    config: Config,
    context: WorkerContext,
    state: dict[str, Any],
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    """From the accepted connection to its end; the signature is that of Hypercorn's TCPServer."""
    if writer.get_extra_info("ssl_object") is not None:  # TLS may mean HTTP/2
        await TCPServer(app, loop, config, context, state, reader, writer)
        return
    transport = cast(asyncio.Transport, writer.transport)
    try:
        base = _base_scope(config, state, writer)
    except OSError:  # gone already
        transport.close()
        return
    connection = Http1(_plain(app), config, transport, base)
    transport.set_protocol(connection)
    reader.feed_eof()
    early = await reader.read()  # what came before the change of protocol
    if early:
        connection.data_received(early)
    try:
        async with asyncio.TaskGroup() as group:
            watches = [
                group.create_task(_end_with_server(connection, context)),
                group.create_task(_end_when_idle(connection, config.keep_alive_timeout)),
            ]
            await connection.run()
            for watch in watches:
                watch.cancel()
    finally:
        transport.close()


def _plain(app: Any) -> ASGIApp:  # noqa: ANN401  as above
    wrapped: ASGIApp = app.app
    return wrapped


def _base_scope(config: Config, state: dict[str, Any], writer: asyncio.StreamWriter) -> dict[str, Any]:
    """What all requests of a connection share."""
    socket = writer.get_extra_info("socket")
    return {
        "type": "http",
        "asgi": {"spec_version": "2.1", "version": "3.0"},
        "scheme": "http",
        "root_path": config.root_path,
        "client": parse_socket_addr(socket.family, socket.getpeername()),
        "server": parse_socket_addr(socket.family, socket.getsockname()),
        "state": state,
    }


async def _end_with_server(connection: Http1, context: WorkerContext) -> None:
    await context.terminated.wait()
    connection.end()


async def _end_when_idle(connection: Http1, seconds: float) -> None:
    """Looks now and then instead of setting a timer per request: ends after one to two time-outs without any."""
    answered = -1
    while connection.answered != answered or not connection.idle:
        answered = connection.answered
        await asyncio.sleep(seconds)
    connection.end()
