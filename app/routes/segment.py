"""/v1/batch, /v1/track …: Segment's and RudderStack's clients, pointed here with one of our keys as their write key."""

from __future__ import annotations

import base64
import zlib
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.dialects.reading import table, word
from app.dialects.segment import KINDS, hear
from app.ingest.wire import DropReason, EventResult
from app.problem import FieldError, Problem, read_json
from app.routes.answers import json_response
from app.routes.bearer import bearer
from app.routes.body import read_body
from app.routes.cors import cors_headers, preflight_headers
from app.routes.intake_door import IntakeDoor
from app.routes.openapi import Operation
from store.api_keys import ApiKey

if TYPE_CHECKING:
    from app.node import Node


class SegmentAnswer(msgspec.Struct, frozen=True):
    """What their clients look at, and what became of each message."""

    success: bool
    results: list[EventResult]


class Message(msgspec.Struct):
    """One message of the tracking API; its own specification says what else it holds."""

    type: str = ""
    event: str = ""
    anonymousId: str | None = None  # noqa: N815  their spelling
    userId: str | None = None  # noqa: N815
    messageId: str = ""  # noqa: N815
    timestamp: str = ""
    properties: dict[str, Any] = {}
    context: dict[str, Any] = {}


class Messages(msgspec.Struct):
    """POST /v1/batch."""

    batch: list[Message]


PROBLEMS = (400, 401, 403, 413, 429, 503)
OPERATIONS = [
    Operation("post", "/v1/batch", "Messages of Segment's and RudderStack's clients", Messages, SegmentAnswer,
              key="public", problems=PROBLEMS),
    *(Operation("post", f"/v1/{kind}", f"One `{kind}` message of Segment's tracking API", Message, SegmentAnswer,
                key="public", problems=PROBLEMS) for kind in KINDS),
    Operation("post", "/v1/segment/{letter}", "The same from Segment's browser client: t, p, i, g, a, s or b", Message,
              SegmentAnswer, key="public", problems=(*PROBLEMS, 404)),
    Operation("get", "/v1/projects/{key}/settings", "What Segment's browser client loads first", answer=dict[str, Any],
              problems=()),
]  # fmt: skip
_any = msgspec.json.Decoder(Any).decode


def routes(node: Node, door: IntakeDoor) -> list[Route]:
    """A path per kind of message, and the one below which Segment's browser client names them by a letter."""
    found: list[Route] = []
    handlers = Handlers(node, door)
    for path in ("batch", *KINDS, "segment/{letter}"):
        found.append(Route(f"/v1/{path}", handlers.receive(path), methods=["POST"]))
        found.append(Route(f"/v1/{path}", handlers.preflight, methods=["OPTIONS"]))
    return [*found, Route("/v1/projects/{key}/settings", handlers.settings, methods=["GET"])]


class Handlers:
    """The handlers with what they share."""

    def __init__(self, node: Node, door: IntakeDoor) -> None:
        self._node = node
        self._door = door

    def receive(self, kind: str) -> Any:  # noqa: ANN401  a Starlette endpoint
        """The handler of one path; `kind` is what its messages are where they do not say it themselves."""

        async def endpoint(request: Request) -> Response:
            origin = request.headers.get("origin", "")
            headers = {**cors_headers(origin), "cache-control": "no-store"}
            try:
                return json_response(await self._receive(request, kind, origin), 200, headers)
            except Problem as problem:
                problem.headers.update(headers)
                raise

        return endpoint

    async def _receive(self, request: Request, kind: str, origin: str) -> SegmentAnswer:
        self._door.hold_off_floods(request)
        limit = self._door.limits.batch_bytes
        told = table(read_json(_any, _unpacked(request, await read_body(request, limit), limit), "Not a message"))
        key = self._key(request, word(told.get("writeKey")))
        self._door.check_origin(origin, key)
        if letter := request.path_params.get("letter", ""):
            kind = next((name for name in ("batch", *KINDS) if name[0] == letter), "")
            if not kind:
                raise Problem(404, "No such kind of message", f"there are {', '.join(name[0] for name in KINDS)} and b")
        messages = told.get("batch") if kind == "batch" else [told]
        if not isinstance(messages, list):
            raise Problem(400, "Not a batch", errors=[FieldError("/batch", "expected an array of messages")])
        if (most := self._door.limits.events_per_batch) < len(messages):
            raise Problem(
                400, "Too many messages", errors=[FieldError("/batch", f"{len(messages)} is more than {most}")]
            )
        heard = hear(messages, self._node.config.segment, told.get("sentAt"), "" if kind == "batch" else kind)
        results: list[EventResult | None] = [None] * len(messages)
        for place, said in heard.unknown.items():
            results[place] = EventResult(_id(messages[place]), "dropped", DropReason.UNKNOWN_EVENT, said)
        for place in heard.silent:
            results[place] = EventResult(_id(messages[place]), "accepted")
        await self._door.take_groups(request, heard.groups, key, results)
        return SegmentAnswer(True, [result for result in results if result is not None])

    def _key(self, request: Request, told: str) -> ApiKey:
        """The write key: the name of Basic authorization, a bearer, or in the body."""
        authorization = request.headers.get("authorization", "")
        scheme, _, text = authorization.partition(" ")
        if scheme.lower() == "basic":
            try:
                told = base64.b64decode(text, validate=True).decode().partition(":")[0]
            except ValueError:  # no base64, no ASCII, no UTF-8
                told = ""
        key = self._node.keys.check(bearer(authorization) or told)
        if key is None:
            raise Problem(
                401, "Not allowed", "the write key is one of this server's: pk_… in browsers, sk_… in servers"
            )
        return key

    async def preflight(self, request: Request) -> Response:
        """Lets a page of an allowed origin send their client's headers."""
        origin = request.headers.get("origin", "")
        listed = self._node.config.server.allowed_origins
        headers = preflight_headers(origin, self._node.keys.api_keys(), listed, "POST")
        if headers:
            headers["access-control-allow-headers"] += ", x-retry-count"
        return Response(status_code=204 if headers else 403, headers=headers)

    async def settings(self, request: Request) -> Response:
        """Where to send: here. Their client asks its CDN for it, which `cdnURL` says."""
        own = {
            "apiKey": request.path_params["key"],
            "apiHost": f"{request.url.netloc}/v1/segment",
            "protocol": request.url.scheme,
        }
        answer = {"integrations": {"Segment.io": {**own, "deliveryStrategy": {"strategy": "standard"}}}}
        return json_response(
            answer, headers={**cors_headers(request.headers.get("origin", "")), "cache-control": "no-store"}
        )


def _unpacked(request: Request, body: bytes, most: int) -> bytes:
    """The body, gunzipped where it says so and no further than a body may be. Raises Problem."""
    if request.headers.get("content-encoding", "").lower() != "gzip":
        return body
    reader = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        found = reader.decompress(body, most + 1)
    except zlib.error as error:
        raise Problem(400, "Not a message", f"not gzip: {error}") from None
    if len(found) > most:
        raise Problem(413, "The body is too large", f"at most {most} bytes are read, unpacked")
    return found


def _id(message: object) -> str:
    return word(table(message).get("messageId"))[:128]
