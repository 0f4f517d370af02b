"""POST /v1/search: what a visitor is looking for. A query is personal, so it never stands in a URL."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.filters.masks import FilterError
from app.problem import FieldError, Problem
from app.routes.admin import signed_in
from app.routes.asking import Asking
from app.routes.body import read_body
from app.routes.openapi import Operation
from app.search.request import SearchAnswer, SearchOnWire, read_search, search_json
from app.search.search import Search, Searcher
from app.serving.request import numbers_of, page_of

if TYPE_CHECKING:
    from app.node import Node

OPERATIONS = [
    Operation(
        "post", "/v1/search", "Products that match a query, in this visitor's order", SearchOnWire, SearchAnswer,
        problems=(400, 401, 413),
    ),
]  # fmt: skip


def routes(node: Node) -> list[Route]:
    handlers = Handlers(node)
    return [Route("/v1/search", handlers.post, methods=["POST"])]


class Handlers:
    """The handler with what it needs."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._options = node.config.search
        self._asking = Asking(node)
        self._searcher = Searcher(node.search, node.recommender, lambda: node.model, self._options)
        self._seconds = node.metrics.histogram("search_seconds", "From a search's body to the answer's bytes.")

    async def post(self, request: Request) -> Response:
        """Personal as far as the visitor agreed; no cache may keep it, nothing of the query is kept."""
        body = await read_body(request, self._options.body_bytes)
        start = perf_counter()
        told = read_search(body, self._options)
        visitor, headers = self._asking.visitor(request, told.visitor, told.context.region, told.key)
        catalogue, now = self._node.catalogue, self._node.clock.now()
        asked = Search(
            told.query, told.limit or self._options.limit, told.offset, told.filter,
            numbers_of(told.exclude, catalogue),
        )  # fmt: skip
        try:
            found = self._searcher.search(asked, page_of(told.context, catalogue), visitor, now, dry_run=told.dry_run)
        except FilterError as error:
            raise Problem(
                400, "The filter cannot be read", str(error), errors=[FieldError("/filter", str(error))]
            ) from None
        content = search_json(
            found.shelf, catalogue, fields=told.fields,
            missing=[item_id for item_id in told.exclude if catalogue.number(item_id) is None],
            total=found.total, corrected=found.corrected, took_ms=(perf_counter() - start) * 1000,
            explain=told.explain,
            inside=told.explain and (signed_in(request) or self._asking.by_server(request, told.key)),
        )  # fmt: skip
        seconds = perf_counter() - start
        self._seconds.observe(seconds)
        headers["server-timing"] = f"search;dur={seconds * 1000:.2f}"
        return Response(content, 200, headers, media_type="application/json")
