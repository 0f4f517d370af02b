"""Is it alive, is it ready, what does it count, what does its API look like?"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app import __version__
from app.node import Node
from app.routes.answers import json_response
from app.routes.openapi import Operation, document

NO_STORE = {"cache-control": "no-store"}


class Alive(msgspec.Struct, frozen=True):
    """GET /livez."""

    status: str = "alive"


class Ready(msgspec.Struct, frozen=True):
    """GET /readyz: 503 while rules or a promise of privacy cannot be kept; 200 and "degraded" while everything is
    answered from what is older than it should be; `problems` says what is wrong."""

    status: str
    generation: str
    items: int
    problems: list[str]


OPERATIONS = [
    Operation("GET", "/livez", "The process answers", answer=Alive, problems=()),
    Operation("GET", "/readyz", "The node does what it should", answer=Ready, problems=()),
    Operation("GET", "/metrics", "Counters and timings for Prometheus", media="text/plain", problems=()),
    Operation("GET", "/openapi.json", "This document", media="application/json", problems=()),
]


def routes(node: Node, operations: Sequence[Operation]) -> list[Route]:
    described = msgspec.json.encode(document(operations, title="personalize", version=__version__))
    # Read when asked, so that the hot path sets no gauges.
    waiting = node.metrics.gauge("events_waiting", "Events that wait for the disk.")
    waiting.set_function(lambda: node.intake.writer.waiting)
    node.metrics.gauge("items", "Items in the catalogue, deleted ones included.").set_function(
        lambda: node.catalogue.size
    )

    node.metrics.gauge("rules", "Rules in force.").set_function(lambda: len(node.rules.published.rules))

    async def livez(_: Request) -> Response:
        return json_response(Alive(), headers=NO_STORE)

    async def readyz(_: Request) -> Response:
        problems, older = node.problems(), node.left_behind()
        status = "not ready" if problems else "degraded" if older else "ready"
        body = Ready(status, node.model.id, node.catalogue.size, problems + older)
        return json_response(body, 503 if problems else 200, NO_STORE)

    async def metrics(_: Request) -> Response:
        return Response(node.metrics.text(), headers=NO_STORE, media_type="text/plain; version=0.0.4; charset=utf-8")

    async def openapi(_: Request) -> Response:
        return json_response(described, headers={"cache-control": "public, max-age=300"})

    return [
        Route("/livez", livez, methods=["GET"]),
        Route("/readyz", readyz, methods=["GET"]),
        Route("/metrics", metrics, methods=["GET"]),
        Route("/openapi.json", openapi, methods=["GET"]),
    ]
