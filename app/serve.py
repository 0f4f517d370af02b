"""Opens a node, serves it over HTTP with its background jobs around it, and closes it on SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.asyncio.run import worker_serve
from hypercorn.config import Config as HypercornConfig
from hypercorn.config import Sockets
from starlette.types import ASGIApp

from app.config import Config
from app.http.connection import http1_by_httptools
from app.jobs import background_jobs
from app.node import Node, open_node
from app.routes import create_app

logger = logging.getLogger("personalize")


class CannotListen(Exception):
    """The address is taken or not this machine's."""


async def serve(config: Config, config_path: Path, announce: Callable[[Node, str], None] | None = None) -> None:
    """Serve until SIGTERM or SIGINT. A crash of any job ends the process with its traceback.

    `announce` is told the node and its address once the port accepts connections.
    """
    # A request must not wait 5 ms for the writer's thread to let go of the interpreter.
    sys.setswitchinterval(0.0005)
    async with open_node(config, config_path) as node:
        await node.staff.ensure_first_account()
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            with contextlib.suppress(NotImplementedError):
                loop.add_signal_handler(number, stop.set)
        app = create_app(node)
        # What is open now stays: a full collection would look through all of it and answer nobody for 30 ms and more.
        gc.collect()
        gc.freeze()
        await run_beside(node, app, stop, announce)


async def run_beside(
    node: Node, app: ASGIApp, stop: asyncio.Event, announce: Callable[[Node, str], None] | None = None
) -> None:
    """HTTP server and background jobs in one task group; returns when `stop` is set and requests have drained."""
    settings = hypercorn_config(node.config)
    sockets = listen(settings)
    listener = sockets.insecure_sockets[0]
    listener.listen(settings.backlog)  # whoever is told the address may connect at once
    host, port = listener.getsockname()[:2]
    async with asyncio.TaskGroup() as group:
        jobs = [group.create_task(_named(name, job), name=name) for name, job in background_jobs(node)]
        if announce:
            announce(node, f"http://{host}:{port}")
        with http1_by_httptools() if node.config.server.fast_http else contextlib.nullcontext():
            await worker_serve(
                ASGIWrapper(app),  # type: ignore[arg-type]  # Hypercorn's scope types are its own
                settings,
                sockets=sockets,
                shutdown_trigger=stop.wait,
            )
        for job in jobs:
            job.cancel()


def listen(settings: HypercornConfig) -> Sockets:
    """The bound sockets. Raises CannotListen."""
    try:
        return settings.create_sockets()
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
        raise CannotListen(f"cannot listen on {settings.bind[0]}: {reason}") from error


async def _named(name: str, job: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """A job that crashes says which one it was; one that returns is done."""
    try:
        await job()
    except Exception:
        logger.critical("background job %r crashed: the process ends", name)
        raise


def hypercorn_config(config: Config) -> HypercornConfig:
    settings = HypercornConfig()
    settings.bind = [config.server.bind]
    settings.backlog = config.server.backlog
    settings.keep_alive_timeout = config.server.keep_alive_seconds
    settings.keep_alive_max_requests = config.server.keep_alive_requests
    settings.graceful_timeout = config.server.drain_seconds
    settings.shutdown_timeout = config.server.drain_seconds
    settings.include_server_header = False
    settings.accesslog = None
    settings.errorlog = logging.getLogger("personalize.http")
    settings.h11_max_incomplete_size = 16 * 1024
    return settings


def run(main: Coroutine[Any, Any, None], *, uvloop: bool = True) -> None:
    """Run a coroutine on uvloop where it exists."""
    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    if uvloop:
        with contextlib.suppress(ImportError):
            import uvloop as fast

            factory = fast.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main)
