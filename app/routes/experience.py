"""GET and POST /v1/experience: which sections a page shows, in which order, under which banner."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.experiences.pages import Experience, UnknownPage
from app.privacy.visitor import Short, VisitorOnWire
from app.problem import Problem, misfit, read_json
from app.routes.answers import json_response
from app.routes.asking import NAMES_VISITOR, Asking
from app.routes.body import read_body
from app.routes.cross_origin import CrossOrigin
from app.routes.openapi import Operation
from app.serving.request import ContextOnWire, page_of
from plugins.contract import Visitor

if TYPE_CHECKING:
    from app.node import Node

QUERY = {
    "page": "Name of the page, `home` if left out",
    "region": "Region of the shop, such as FR",
    "device": "What it is shown on, such as phone",
    "experiment": "Arm of a running experiment, as key/arm: what is cached of one arm is not shown in another",
}


class ExperienceOnWire(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """POST /v1/experience."""

    page: Short = "home"
    visitor: VisitorOnWire = VisitorOnWire()
    context: ContextOnWire = ContextOnWire()
    key: Short = ""


OPERATIONS = [
    Operation(
        "get", "/v1/experience", "A page's sections and banner from the page alone; may be cached", answer=Experience,
        query=QUERY, headers=NAMES_VISITOR, problems=(400, 401, 404),
    ),
    Operation(
        "post", "/v1/experience", "A page's sections and banner for a visitor", ExperienceOnWire, Experience,
        problems=(400, 401, 404, 413),
    ),
]  # fmt: skip


def routes(node: Node) -> list[Route]:
    handlers = Handlers(node)
    readable = [Middleware(CrossOrigin, node.config.server.allowed_origins)]
    return [
        Route("/v1/experience", handlers.post, methods=["POST", "OPTIONS"], middleware=readable),
        Route("/v1/experience", handlers.get, methods=["GET"], middleware=readable),
    ]


class Handlers:
    """The handlers with what they share."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._asking = Asking(node)

    async def get(self, request: Request) -> Response:
        """For everyone, unless the shop's server says in a header for whom: then for that visitor alone."""
        told = _from_query(request)
        visitor, headers = self._asking.of_url(request, told.context.region)
        return json_response(self._show(told, visitor), headers=headers)

    async def post(self, request: Request) -> Response:
        """Personal as far as the visitor agreed; no cache may keep it."""
        body = await read_body(request, self._node.config.serving.body_bytes)
        told = read_json(_decode, body)
        visitor, headers = self._asking.visitor(request, told.visitor, told.context.region, told.key)
        return json_response(self._show(told, visitor), headers=headers)

    def _show(self, told: ExperienceOnWire, visitor: Visitor) -> Experience:
        node, page = self._node, page_of(told.context, self._node.catalogue)
        trial = node.recommender.trials.page(told.page, visitor.arms) if node.recommender.trials else None
        seen = trial.visitor(visitor) if trial else visitor
        facts = page.facts(seen, node.clock.now())
        try:
            return node.experiences.show(told.page, facts, trial, known=seen.known or len(seen.bought) > 0)
        except UnknownPage as unknown:
            raise Problem(404, "No such page", str(unknown)) from None


_decode = msgspec.json.Decoder(ExperienceOnWire).decode


def _from_query(request: Request) -> ExperienceOnWire:
    told = request.query_params
    unknown = [name for name in told if name not in QUERY]
    if unknown:
        raise Problem(400, "Unknown parameter", f"{', '.join(unknown)}; there are {', '.join(QUERY)}")
    context = {name: told.get(name, "") for name in ("region", "device")}
    try:
        return msgspec.convert({"page": told.get("page", "home"), "context": context}, ExperienceOnWire)
    except msgspec.ValidationError as error:
        raise misfit(error) from None
