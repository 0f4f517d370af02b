"""Where browsers, shops' servers and imports hand in what visitors did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.dialects import cloudevents
from app.ingest.bulk import ImportResult, import_lines
from app.ingest.wire import Batch, BatchResult, DropReason, EventOnWire, EventResult
from app.problem import FieldError, Problem, read_json
from app.routes.answers import json_response
from app.routes.body import media_type, read_body
from app.routes.cors import cors_headers, preflight_headers
from app.routes.intake_door import IntakeDoor
from app.routes.lines import read_lines
from app.routes.openapi import Operation
from store.api_keys import ApiKey
from store.faults import StoreFault
from store.writer import WriterClosed

if TYPE_CHECKING:
    from app.node import Node

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
_CLOUD = (cloudevents.SINGLE, cloudevents.BATCH)
_any = msgspec.json.Decoder(Any).decode


def routes(node: Node, door: IntakeDoor) -> list[Route]:
    """POST /v1/events and POST /v1/events:import."""
    events = EventRoutes(node, door)
    return [
        Route("/v1/events", events.receive, methods=["POST"]),
        Route("/v1/events", events.preflight, methods=["OPTIONS"]),
        Route("/v1/events:import", events.import_lines, methods=["POST"]),
    ]


class EventRoutes:
    """The handlers."""

    def __init__(self, node: Node, door: IntakeDoor) -> None:
        self._node = node
        self._door = door

    async def receive(self, request: Request) -> Response:
        """One visitor's batch, or CloudEvents of several: 202 with a result per event, once they are on disk."""
        origin = request.headers.get("origin", "")
        headers = {**cors_headers(origin), "cache-control": "no-store"}
        try:
            return json_response(await self._receive(request, origin), 202, headers)
        except Problem as problem:
            problem.headers.update(headers)
            raise

    async def _receive(self, request: Request, origin: str) -> BatchResult:
        door = self._door
        bearer = door.bearer(request)
        if bearer is None:
            door.hold_off_floods(request)
        body = await read_body(request, self._most_bytes(request))
        if media_type(request) in _CLOUD:
            return await self._cloud_events(request, body, bearer, origin)
        batch = door.read(body)
        key = bearer or self._node.keys.check(batch.key)
        if key is None:
            detail = "unknown key" if batch.key else 'a batch needs "key": "pk_…", or a server key as bearer'
            raise Problem(401, "Not allowed", detail)
        door.check_origin(origin, key)
        return await door.take(request, batch, key)

    async def _cloud_events(self, request: Request, body: bytes, key: ApiKey | None, origin: str) -> BatchResult:
        if key is None:
            raise Problem(401, "Not allowed", "CloudEvents come with a key: Authorization: Bearer …")
        self._door.check_origin(origin, key)
        told = read_json(_any, body, "Not valid CloudEvents")
        events: list[object] = told if isinstance(told, list) else [told]
        if (most := self._door.limits.events_per_batch) < len(events):
            raise Problem(400, "Too many events", errors=[FieldError("", f"{len(events)} is more than {most}")])
        groups, wrong = cloudevents.grouped(events)
        results: list[EventResult | None] = [None] * len(events)
        for place, said in wrong.items():
            results[place] = EventResult("", "dropped", DropReason.MALFORMED, said)
        await self._door.take_groups(request, groups, key, results)
        return BatchResult([result for result in results if result is not None])

    async def preflight(self, request: Request) -> Response:
        """Lets a page of an allowed origin send application/json."""
        origin = request.headers.get("origin", "")
        listed = self._node.config.server.allowed_origins
        headers = preflight_headers(origin, self._node.keys.api_keys(), listed, "POST")
        return Response(status_code=204 if headers else 403, headers=headers)

    async def import_lines(self, request: Request) -> Response:
        """Many batches, one per line (ndjson), with a server key: 200 with what became of all of them."""
        key = self._door.bearer(request)
        if key is None or key.kind != "server":
            raise Problem(401, "Not allowed", "an import needs a server key: Authorization: Bearer sk_…")
        if media_type(request) not in _LINES:
            raise Problem(415, "Unsupported content", "an import is application/x-ndjson: one batch a line")
        lines = read_lines(request, self._door.limits.batch_bytes)
        try:
            result = await import_lines(lines, self._node.intake, key, self._door.limits)
        except (WriterClosed, StoreFault) as error:
            raise self._door.later(error) from error
        return json_response(result, headers={"cache-control": "no-store"})

    def _most_bytes(self, request: Request) -> int:
        kind = media_type(request)
        if kind in ("", "text/plain"):
            return self._door.limits.beacon_bytes
        if kind == "application/json" or kind in _CLOUD:
            return self._door.limits.batch_bytes
        raise Problem(415, "Unsupported content", f"send text/plain, application/json or {' or '.join(_CLOUD)}")
