"""The least a server can do: an application with one route that sends the body back, on the very same Hypercorn."""

from __future__ import annotations

import asyncio
import sys
from contextlib import nullcontext
from typing import Any

from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.asyncio.run import worker_serve
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.config import parse_config
from app.http.connection import http1_by_httptools
from app.serve import hypercorn_config, run


async def echo(request: Request) -> Response:
    return Response(await request.body(), media_type="application/json")


async def serve_echo(fast: bool) -> None:
    settings = hypercorn_config(parse_config({"server": {"bind": "127.0.0.1:0"}}))
    sockets = settings.create_sockets()
    listener = sockets.insecure_sockets[0]
    listener.listen(settings.backlog)
    sys.stdout.write("http://{}:{}\n".format(*listener.getsockname()))
    sys.stdout.flush()
    app = Starlette(routes=[Route("/echo", echo, methods=["POST"])])
    wrapped: Any = ASGIWrapper(app)  # type: ignore[arg-type]  # Hypercorn's scope types are its own
    with http1_by_httptools() if fast else nullcontext():
        await worker_serve(wrapped, settings, sockets=sockets, shutdown_trigger=asyncio.Event().wait)


if __name__ == "__main__":
    run(serve_echo("fast" in sys.argv))
