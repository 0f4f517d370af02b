"""DELETE /v1/me: a person is forgotten, and can see how far that has come. Ids travel in a header only."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import TYPE_CHECKING

import msgspec
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.privacy.consent import PROOF, claim_of
from app.privacy.erasure_receipt import ErasureReceipt, erasure_receipt
from app.privacy.identity import proved_ids
from app.problem import Problem
from app.routes.answers import json_response
from app.routes.asking import PERSONAL, VISITOR_HEADER, Asking, visitor_header
from app.routes.cross_origin import CrossOrigin
from app.routes.openapi import Operation

if TYPE_CHECKING:
    from app.node import Node


class Forgotten(msgspec.Struct, frozen=True):
    """What a person is told. It says the same about somebody who was never known."""

    receipt: ErasureReceipt
    opening: str
    """Keep it: with it and the own id, SHA-256 gives the receipt's commitment. It is told only now."""
    status: str
    """Where the receipt can be asked for again, to see it become `verified`."""


OPERATIONS = [
    Operation("delete", "/v1/me", "Forget a visitor", answer=Forgotten, problems=(400, 401, 503)),
    Operation("get", "/v1/me/erasures/{id}", "How far an erasure has come", answer=ErasureReceipt, problems=(404,)),
]


def routes(node: Node) -> list[Route]:
    asking = Asking(node)
    readable = [Middleware(CrossOrigin, node.config.server.allowed_origins)]

    async def forget(request: Request) -> Response:
        """Everything, in every store; the beacon's own id is the proof."""
        began = perf_counter()
        told = visitor_header(request)
        ids = [] if told is None else proved_ids(claim_of(told, asking.key(request, "")), node.keys)
        if not ids:
            raise Problem(401, "Who asks?", f"header {VISITOR_HEADER}, JSON: {PROOF}")
        erased = await node.erasures.erase(ids)
        receipt = erasure_receipt(erased.number, erased.commitment, erased.facts, node.keys)
        status = f"/v1/me/erasures/{receipt.record_id}"
        await asyncio.sleep(until_even(perf_counter() - began, node.config.erasure.answer_ms))
        return json_response(Forgotten(receipt, erased.opening.hex(), status), headers=PERSONAL)

    async def status(request: Request) -> Response:
        """The receipt as it is now; its number is random and known to nobody but who was told."""
        try:
            row = node.requests.get(int(request.path_params["id"], 16))
        except (ValueError, OverflowError):
            row = None
        facts = node.erasures.stands(row.id) if row is not None else None
        if row is None or facts is None:
            raise Problem(404, "No such erasure", "it was never asked for, or its record has expired")
        return json_response(erasure_receipt(row.id, row.commitment, facts, node.keys), headers=PERSONAL)

    return [
        Route("/v1/me", forget, methods=["DELETE"], middleware=readable),
        Route("/v1/me/erasures/{id}", status, methods=["GET", "OPTIONS"], middleware=readable),
    ]


def until_even(seconds: float, step_ms: int) -> float:
    """How long to wait until the answer's time says nothing but how many whole steps it took."""
    return step_ms / 1000 - seconds % (step_ms / 1000) if step_ms else 0.0
