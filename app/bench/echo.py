"""The least a server can do: an application with one route that sends the body back, on the very same Hypercorn."""

from __future__ import annotations

import asyncio
import sys

from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.asyncio.run import worker_serve
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.config import parse_config
from app.serve import hypercorn_config, run


async def echo(request: Request) -> Response:
    return Response(await request.body(), media_type="application/json")


async def serve_echo() -> None:
    settings = hypercorn_config(parse_config({"server": {"bind": "127.0.0.1:0"}}))
    sockets = settings.create_sockets()
    listener = sockets.insecure_sockets[0]
    listener.listen(settings.backlog)
    sys.stdout.write("http://{}:{}\n".format(*listener.getsockname()))
    sys.stdout.flush()
    app = Starlette(routes=[Route("/echo", echo, methods=["POST"])])
    await worker_serve(ASGIWrapper(app), settings, sockets=sockets, shutdown_trigger=asyncio.Event().wait)  # type: ignore[arg-type]


if __name__ == "__main__":
    run(serve_echo())
