"""POST /v1/consent: a person decides per purpose and gets a signed receipt; the keys to check it; the word on GPC."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.privacy.consent import ConsentAnswer, ConsentOnWire, decide
from app.privacy.gatekeeper import gpc_signal
from app.privacy.receipts import public_key_set
from app.problem import Problem, read_json
from app.routes.answers import json_response
from app.routes.asking import PERSONAL, Asking
from app.routes.body import read_body
from app.routes.cors import origin_allowed
from app.routes.cross_origin import CrossOrigin
from app.routes.openapi import Operation
from store.writer import QueueFull, WriterClosed

if TYPE_CHECKING:
    from app.node import Node

BODY_BYTES = 32_768
GPC_SINCE = "2026-11-22"
"""When what gpc.json says last changed."""


class GpcSupport(msgspec.Struct, frozen=True, rename={"last_update": "lastUpdate"}):
    """/.well-known/gpc.json (W3C Global Privacy Control, section 4)."""

    gpc: bool
    last_update: str = GPC_SINCE


class JsonWebKeys(msgspec.Struct, frozen=True):
    """RFC 7517."""

    keys: list[dict[str, str]]


OPERATIONS = [
    Operation(
        "post", "/v1/consent", "A visitor decides what may be done; answers with a signed receipt", ConsentOnWire,
        ConsentAnswer, problems=(400, 401, 403, 413, 503),
    ),
    Operation(
        "get", "/.well-known/gpc.json", "Whether Global Privacy Control is honoured", answer=GpcSupport, problems=()
    ),
    Operation(
        "get", "/.well-known/personalize-receipts.json", "Keys by which receipts are checked", answer=JsonWebKeys,
        problems=(),
    ),
]  # fmt: skip
_decode = msgspec.json.Decoder(ConsentOnWire).decode


def routes(node: Node) -> list[Route]:
    handlers = Handlers(node)
    readable = [Middleware(CrossOrigin, node.config.server.allowed_origins)]
    return [
        Route("/v1/consent", handlers.post, methods=["POST", "OPTIONS"], middleware=readable),
        Route("/.well-known/gpc.json", handlers.gpc, methods=["GET"]),
        Route("/.well-known/personalize-receipts.json", handlers.receipt_keys, methods=["GET"]),
    ]


class Handlers:
    """The handlers with what they share."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._asking = Asking(node)
        self._decisions = node.metrics.counter("consent_decisions", "Decisions told by POST /v1/consent.")

    async def post(self, request: Request) -> Response:
        """On the answer the decision is in force; nothing of it was kept where the answer is a problem."""
        told = read_json(_decode, await read_body(request, BODY_BYTES), "Not a decision")
        key = self._asking.key(request, told.key)
        origin = request.headers.get("origin", "")
        if not origin_allowed(origin, key, self._node.config.server.allowed_origins):
            raise Problem(403, "Not allowed", "this key is not for this origin")
        gpc = gpc_signal(request.headers.getlist("sec-gpc"))
        try:
            answer = await decide(self._node, told, key, gpc=gpc)
        except (QueueFull, WriterClosed) as error:
            retry = {"retry-after": str(self._node.config.ingest.retry_after_seconds)}
            raise Problem(503, "Try again later", "nothing was kept of this decision", headers=retry) from error
        self._decisions.inc()
        return json_response(answer, headers=PERSONAL)

    async def gpc(self, _: Request) -> Response:
        """True where every jurisdiction honours it."""
        honoured = all(each.gpc == "honour" for each in self._node.config.consent.jurisdictions().values())
        return json_response(GpcSupport(honoured), headers={"cache-control": "public, max-age=86400"})

    async def receipt_keys(self, _: Request) -> Response:
        """The public key of this node."""
        keys = public_key_set(self._node.keys.receipt_public_key)
        readable = {"access-control-allow-origin": "*", "cross-origin-resource-policy": "cross-origin"}
        return json_response(keys, headers={"cache-control": "public, max-age=3600", **readable})
