"""GET /v1/segments: the groups of visitors that were learned, by what distinguishes them and how large they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.routes.admin import require
from app.routes.answers import json_response
from app.routes.openapi import Operation

if TYPE_CHECKING:
    from app.node import Node


class SegmentOnWire(msgspec.Struct, frozen=True, kw_only=True):
    """One segment. Who belongs to it is stored nowhere: it follows from a visitor's own profile when they ask."""

    key: str
    """For rules and requests; stays from training to training."""
    name: str
    people: int | None = None
    """How many there were in the last training, rounded down; null: too few, or not to be told."""
    items: int = 0
    """Products that make it."""
    terms: list[str] = []
    """What distinguishes it: "category:shoes/running", "band:8" (dear for its kind), "brand:Alder"."""


class SegmentsAnswer(msgspec.Struct, frozen=True):
    """GET /v1/segments, the largest first."""

    model: str
    segments: list[SegmentOnWire]


OPERATIONS = [
    Operation("get", "/v1/segments", "Segments of visitors", answer=SegmentsAnswer, key="marketer or operator",
              problems=(401, 403)),
]  # fmt: skip


def routes(node: Node) -> list[Route]:
    async def segments(request: Request) -> Response:
        require(request, "marketer", "operator")
        model = node.generations.serving
        found = msgspec.convert(model.segment_list, list[SegmentOnWire])
        found.sort(key=lambda each: (-(each.people or 0), -each.items))
        return json_response(SegmentsAnswer(model.id, found), headers={"cache-control": "no-store"})

    return [Route("/v1/segments", segments, methods=["GET"])]
