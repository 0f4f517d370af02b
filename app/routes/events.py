"""Where browsers, shops' servers and imports hand in what visitors did."""

from __future__ import annotations

import logging
import math
from time import perf_counter
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.ingest.bulk import ImportResult, import_lines
from app.ingest.rate import RateLimit, client_address
from app.ingest.wire import Batch, BatchOnWire, BatchResult, EventOnWire, Refused, read_batch
from app.privacy.gatekeeper import gpc_signal
from app.problem import FieldError, Problem
from app.routes.answers import json_response
from app.routes.body import read_body
from app.routes.cors import cors_headers, origin_allowed, preflight_headers
from app.routes.lines import read_lines
from app.routes.openapi import Operation
from store.api_keys import ApiKey
from store.faults import StoreFault
from store.writer import QueueFull, WriterClosed

if TYPE_CHECKING:
    from app.node import Node

log = logging.getLogger("personalize.ingest")

OPERATIONS = [
    Operation(
        "post", "/v1/events", "What a visitor did", Batch[EventOnWire], BatchResult, status=202, key="public",
        problems=(400, 401, 403, 413, 415, 429, 503),
    ),
    Operation(
        "post", "/v1/events:import", "Batches, one a line (application/x-ndjson)", Batch[EventOnWire], ImportResult,
        key="server", problems=(401, 413, 415, 503),
    ),
]  # fmt: skip
_LINES = ("application/x-ndjson", "application/ndjson", "application/jsonl")


def routes(node: Node) -> list[Route]:
    """POST /v1/events and POST /v1/events:import."""
    events = EventRoutes(node)
    return [
        Route("/v1/events", events.receive, methods=["POST"]),
        Route("/v1/events", events.preflight, methods=["OPTIONS"]),
        Route("/v1/events:import", events.import_lines, methods=["POST"]),
    ]


class EventRoutes:
    """The handlers, with the one thing they remember between requests: how much each network prefix sent."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._limits = node.config.ingest
        self._listed = node.config.server.allowed_origins
        self._rate = RateLimit(per_minute=self._limits.batches_per_minute, prefixes=self._limits.prefixes)

    async def receive(self, request: Request) -> Response:
        """One visitor's batch: 202 with a result per event, once they are on disk."""
        origin = request.headers.get("origin", "")
        headers = {**cors_headers(origin), "cache-control": "no-store"}
        try:
            return json_response(await self._receive(request, origin), 202, headers)
        except Problem as problem:
            problem.headers.update(headers)
            raise

    async def _receive(self, request: Request, origin: str) -> BatchResult:
        bearer = self._bearer(request)
        if bearer is None:
            self._hold_off_floods(request)
        batch = self._read(await read_body(request, self._most_bytes(request)))
        key = bearer or self._node.keys.check(batch.key)
        if key is None:
            detail = "unknown key" if batch.key else 'a batch needs "key": "pk_…", or a server key as bearer'
            raise Problem(401, "Not allowed", detail)
        if not origin_allowed(origin, key, self._listed):
            raise Problem(403, "Not allowed", "this key is not for this origin")
        incoming = self._node.intake.prepare(batch, key, gpc=gpc_signal(request.headers.getlist("sec-gpc")))
        try:
            return await self._node.intake.submit(incoming)
        except (QueueFull, WriterClosed, StoreFault) as error:
            raise self._later(error) from error

    async def preflight(self, request: Request) -> Response:
        """Lets a page of an allowed origin send application/json."""
        origin = request.headers.get("origin", "")
        headers = preflight_headers(origin, self._node.keys.api_keys(), self._listed, "POST")
        return Response(status_code=204 if headers else 403, headers=headers)

    async def import_lines(self, request: Request) -> Response:
        """Many batches, one per line (ndjson), with a server key: 200 with what became of all of them."""
        key = self._bearer(request)
        if key is None or key.kind != "server":
            raise Problem(401, "Not allowed", "an import needs a server key: Authorization: Bearer sk_…")
        if _media_type(request) not in _LINES:
            raise Problem(415, "Unsupported content", "an import is application/x-ndjson: one batch a line")
        lines = read_lines(request, self._limits.batch_bytes)
        try:
            result = await import_lines(lines, self._node.intake, key, self._limits)
        except (WriterClosed, StoreFault) as error:
            raise self._later(error) from error
        return json_response(result, headers={"cache-control": "no-store"})

    def _bearer(self, request: Request) -> ApiKey | None:
        """The key of the Authorization header; None without one. Raises Problem for one that is unknown."""
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        if not scheme:
            return None
        key = self._node.keys.check(text.strip()) if scheme.lower() == "bearer" else None
        if key is None:
            raise Problem(401, "Not allowed", "unknown key", headers={"www-authenticate": "Bearer"})
        return key

    def _hold_off_floods(self, request: Request) -> None:
        peer = request.client.host if request.client else ""
        address = client_address(peer, request.headers.get("x-forwarded-for", ""), self._limits.proxies)
        wait = self._rate.wait(address, perf_counter())
        if wait:
            retry = {"retry-after": str(math.ceil(wait))}
            raise Problem(429, "Too many requests", "this network sends faster than it may", headers=retry)

    def _most_bytes(self, request: Request) -> int:
        kind = _media_type(request)
        if kind in ("", "text/plain"):
            return self._limits.beacon_bytes
        if kind == "application/json":
            return self._limits.batch_bytes
        raise Problem(415, "Unsupported content", "send text/plain or application/json")

    def _read(self, body: bytes) -> BatchOnWire:
        try:
            return read_batch(body, self._limits.events_per_batch)
        except Refused as refused:
            error = FieldError(refused.pointer, refused.detail)
            raise Problem(400, "Not a batch of events", refused.detail, errors=[error]) from None

    def _later(self, error: Exception) -> Problem:
        """Nothing was kept, and the sender may try again. What is wrong with a file is for the operator."""
        said = {
            QueueFull: "more events wait for the disk than may",
            WriterClosed: "the server is stopping",
        }.get(type(error), "the disk does not take events")
        if isinstance(error, StoreFault):
            log.error("events are refused: %s", error)
        return Problem(503, "Try again later", said, headers={"retry-after": str(self._limits.retry_after_seconds)})


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()
