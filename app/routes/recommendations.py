"""GET and POST /v1/recommendations: what to show where; as JSON, as a piece of HTML, and why."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import TYPE_CHECKING

import msgspec
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route, request_response
from starlette.types import Receive, Scope, Send

from app.filters.masks import FilterError
from app.problem import Problem, misfit
from app.routes.admin import signed_in
from app.routes.answers import json_response
from app.routes.asking import FOR_EVERYONE, NAMES_VISITOR, PERSONAL, VISITOR_HEADER, Asking
from app.routes.body import read_body
from app.routes.cross_origin import CrossOrigin
from app.routes.numbers import whole
from app.routes.openapi import Operation
from app.serving.answer import RecommendationsAnswer, answer_json
from app.serving.explanations import Explanation
from app.serving.recommend import Page, Shelf, UnknownPlacement
from app.serving.request import (
    AskOnWire,
    ContextOnWire,
    RecommendationsOnWire,
    ask_of,
    check_bounds,
    filter_problem,
    missing_ids,
    page_of,
    read_request,
)
from app.serving.shelf_html import shelf_html
from plugins.contract import Visitor

if TYPE_CHECKING:
    from app.node import Node

BUCKET_SECONDS = 30

QUERY = {
    "placement": "Name of the placement, `home` if left out",
    "limit": "How many items",
    "item": "Id of the item the page shows",
    "cart": "Ids of the items in the cart, with commas between them",
    "exclude": "Ids not to be shown, with commas between them",
    "region": "Region of the shop, such as FR",
    "currency": "Currency of the page",
    "locale": "Language of the page",
    "device": "phone, tablet or desktop",
    "category": "Category the page is about, such as shoes/running",
    "filter": 'Filter expression, such as category == "shoes" and price < 50',
    "experiment": "Arm of a running experiment, as key/arm: what is cached of one arm is not shown in another",
}
OPERATIONS = [
    Operation(
        "post", "/v1/recommendations", "Lists for a visitor", RecommendationsOnWire, RecommendationsAnswer,
        problems=(400, 401, 404, 413),
    ),
    Operation(
        "get", "/v1/recommendations", "A list from the page alone; may be cached",
        answer=RecommendationsAnswer, query=QUERY, problems=(400, 404),
    ),
    Operation(
        "get", "/v1/recommendations.html", "The same as a piece of HTML", media="text/html", query=QUERY,
        headers=NAMES_VISITOR, problems=(400, 401, 404),
    ),
    Operation(
        "get", "/v1/recommendations/{request_id}/why",
        "How a list or a search came out; which rules did what only for staff and the shop's server",
        answer=Explanation, problems=(401, 404),
    ),
]  # fmt: skip


def routes(node: Node) -> list[Route]:
    """The hottest first."""
    handlers = Handlers(node)
    readable = [Middleware(CrossOrigin, node.config.server.allowed_origins)]
    return [
        Route("/v1/recommendations", Hot(handlers), methods=["POST", "OPTIONS"], middleware=readable),
        Route("/v1/recommendations", handlers.get, methods=["GET"], middleware=readable),
        Route("/v1/recommendations.html", handlers.html, methods=["GET"], middleware=readable),
        Route("/v1/recommendations/{request_id}/why", handlers.why, methods=["GET"]),
    ]


class Hot:
    """The hottest route as an ASGI application of its own: Starlette answers only where something went wrong."""

    def __init__(self, handlers: Handlers) -> None:
        self._handlers = handlers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            headers, content = await self._handlers.post(Request(scope, receive))
        except Exception as error:
            await request_response(_raising(error))(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})


def _raising(error: Exception) -> Callable[[Request], Awaitable[Response]]:
    """A handler that fails like this, for those who answer failures."""

    async def fail(_: Request) -> Response:
        raise error

    return fail


class Handlers:
    """The handlers with what they share."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._recommender = node.recommender
        self._asking = Asking(node)
        self._seconds = node.metrics.histogram("recommend_seconds", "From a request's body to the answer's bytes.")

    async def post(self, request: Request) -> tuple[list[tuple[bytes, bytes]], bytes]:
        """Headers and body. Personal as far as the visitor agreed; no cache may keep it."""
        body = await read_body(request, self._recommender.options.body_bytes)
        start = perf_counter()
        told = read_request(body, self._recommender.options)
        visitor, headers = self._asking.visitor(request, told.visitor, told.context.region, told.key)
        inside = told.explain and self._inside(request, told.key)
        content = self._answer(told, visitor, start, inside=inside)
        seconds = perf_counter() - start
        self._seconds.observe(seconds)
        head = [(name.encode(), value.encode()) for name, value in headers.items()]
        head += [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(content)),
            (b"server-timing", b"recommend;dur=%.2f" % (seconds * 1000)),
        ]
        return head, content

    async def get(self, request: Request) -> Response:
        """From the page alone, the same for everyone for half a minute."""
        start = perf_counter()
        told = self._from_query(request)
        visitor = self._asking.nobody(request)
        return Response(self._answer(told, visitor, start, seed=self._seed()), 200, FOR_EVERYONE, "application/json")

    async def html(self, request: Request) -> Response:
        """For everyone, unless the shop's server says in a header for whom: then for that visitor alone."""
        told = self._from_query(request)
        visitor, headers = self._asking.of_url(request, told.context.region)
        seed = None if VISITOR_HEADER in request.headers else self._seed()
        shelf = self._shelves(told, visitor, seed=seed)[0]
        return HTMLResponse(shelf_html(shelf, self._node.catalogue), headers=headers)

    async def why(self, request: Request) -> Response:
        """How a list came out, as long as it is remembered."""
        found = self._recommender.explanations.get(request.path_params["request_id"], self._node.clock.now())
        if found is None:
            raise Problem(
                404, "Not remembered", "Lists are remembered for a few minutes; ask again with \"explain\": true"
            )  # fmt: skip
        return json_response(found.explain(self._node.catalogue, inside=self._inside(request)), headers=PERSONAL)

    def _inside(self, request: Request, key_text: str = "") -> bool:
        """Whether the shop's own people or server ask: shoppers are not told which rules there are."""
        return signed_in(request) or self._asking.by_server(request, key_text)

    def _answer(
        self, told: RecommendationsOnWire, visitor: Visitor, start: float, seed: int | None = None,
        inside: bool = False,
    ) -> bytes:  # fmt: skip
        shelves = self._shelves(told, visitor, seed)
        catalogue = self._node.catalogue
        return answer_json(
            shelves, catalogue, fields=[ask.fields for ask in told.requests],
            missing=[missing_ids(ask, told.context, catalogue) for ask in told.requests],
            took_ms=(perf_counter() - start) * 1000, explain=told.explain, inside=inside,
        )  # fmt: skip

    def _shelves(self, told: RecommendationsOnWire, visitor: Visitor, seed: int | None = None) -> list[Shelf]:
        catalogue, now = self._node.catalogue, self._node.clock.now()
        page: Page = page_of(told.context, catalogue)
        asks = [ask_of(ask, catalogue) for ask in told.requests]
        try:
            return self._recommender.shelves(asks, page, visitor, now, dry_run=told.dry_run, seed=seed)
        except UnknownPlacement as unknown:
            raise Problem(404, "No such placement", str(unknown)) from None
        except FilterError as error:
            raise filter_problem(error, told.requests) from None

    def _from_query(self, request: Request) -> RecommendationsOnWire:
        """The request in a URL: one list, nobody named. Raises Problem 400 for a parameter that is not known."""
        told = request.query_params
        unknown = [name for name in told if name not in QUERY]
        if unknown:
            raise Problem(400, "Unknown parameter", f"{', '.join(unknown)}; there are {', '.join(QUERY)}")
        limit = told.get("limit")
        ask = {
            "placement": told.get("placement", "home"),
            "limit": limit if limit is None or whole(limit) is None else whole(limit),
            "exclude": _ids(told.get("exclude")),
            "filter": told.get("filter", ""),
        }
        context = {
            "item": told.get("item"),
            "cart": _ids(told.get("cart")),
            **{name: told.get(name, "") for name in ("region", "currency", "locale", "device", "category")},
        }
        try:
            read = RecommendationsOnWire(
                [msgspec.convert(ask, AskOnWire)], context=msgspec.convert(context, ContextOnWire)
            )
        except msgspec.ValidationError as error:
            raise misfit(error) from None
        check_bounds(read, self._recommender.options)
        return read

    def _seed(self) -> int:
        """The same for everyone for a while, so that an answer may be cached."""
        return int(self._node.clock.now() // BUCKET_SECONDS)


def _ids(text: str | None) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()] if text else []
