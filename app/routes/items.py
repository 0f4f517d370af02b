"""/v1/items: the shop's server puts, reads and removes products; what it puts counts from the next request on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.catalogue.intake import BatchAnswer, ItemResult, Product, ProductBatch, read_batch, read_item
from app.problem import FieldError, Problem
from app.routes.answers import json_response
from app.routes.body import read_body
from app.routes.openapi import Operation
from app.routes.server_key import require_server_key
from store.catalogue import CatalogueFull
from store.records import Item

if TYPE_CHECKING:
    from app.node import Node

PRIVATE = {"cache-control": "private, no-store"}


class ItemsAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """A page of the catalogue, in the order items came."""

    items: list[Item]
    next: str = ""
    """For `after` of the next request; absent on the last page."""


PAGE = {"after": "`next` of the answer before", "limit": "How many items"}
OPERATIONS = [
    Operation("get", "/v1/items", "The catalogue, page by page", answer=ItemsAnswer, query=PAGE, key="server",
              problems=(400, 401, 403)),
    Operation("post", "/v1/items:batch", "Add or replace many products", ProductBatch, BatchAnswer, key="server",
              problems=(400, 401, 403, 409, 413)),
    Operation("get", "/v1/items/{id}", "One product", answer=Item, key="server", problems=(401, 403, 404)),
    Operation("put", "/v1/items/{id}", "Add or replace a product", Product, ItemResult, key="server",
              problems=(400, 401, 403, 409, 413)),
    Operation("delete", "/v1/items/{id}", "Remove a product", status=204, key="server", problems=(401, 403, 404)),
]  # fmt: skip


def routes(node: Node) -> list[Route]:
    handlers = Handlers(node)
    return [
        Route("/v1/items:batch", handlers.batch, methods=["POST"]),
        Route("/v1/items", handlers.page, methods=["GET"]),
        Route("/v1/items/{id:path}", handlers.get, methods=["GET"]),
        Route("/v1/items/{id:path}", handlers.put, methods=["PUT"]),
        Route("/v1/items/{id:path}", handlers.delete, methods=["DELETE"]),
    ]


class Handlers:
    """The handlers with what they share."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._options = node.config.catalogue

    async def put(self, request: Request) -> Response:
        """201 for a new product, 200 for a changed one; committed before the answer."""
        require_server_key(request, self._node.keys)
        told = read_item(await read_body(request, self._options.item_bytes), request.path_params["id"])
        if not isinstance(told, Item):
            raise Problem(400, "Not a valid item", errors=told)
        new = self._node.catalogue.number(told.id) is None
        await self._store([told])
        return json_response(ItemResult(told.id, "stored"), 201 if new else 200, PRIVATE)

    async def batch(self, request: Request) -> Response:
        """The good ones are stored together, the others answered with what is wrong."""
        require_server_key(request, self._node.keys)
        body = await read_body(request, self._options.batch_bytes)
        parts = read_batch(body)
        most = self._options.batch_items
        if len(parts) > most:
            raise Problem(400, "Too many items", errors=[FieldError("/items", f"{len(parts)} is more than {most}")])
        told = [read_item(part) for part in parts]
        await self._store([item for item in told if isinstance(item, Item)])
        results = [_result(part, item) for part, item in zip(parts, told, strict=True)]
        return json_response(BatchAnswer(results), 200, PRIVATE)

    async def get(self, request: Request) -> Response:
        require_server_key(request, self._node.keys)
        item = self._node.shop.get(request.path_params["id"])
        if item is None:
            raise _missing(request.path_params["id"])
        return json_response(item, 200, PRIVATE)

    async def page(self, request: Request) -> Response:
        """In the order products came, `limit` at a time."""
        require_server_key(request, self._node.keys)
        after, limit = _page(request, self._options.page_items)
        found = self._node.shop.list(after, limit + 1)
        more = str(found[limit - 1][0]) if len(found) > limit else ""
        return json_response(ItemsAnswer([item for _, item in found[:limit]], more), 200, PRIVATE)

    async def delete(self, request: Request) -> Response:
        require_server_key(request, self._node.keys)
        if not await self._node.shop.delete(request.path_params["id"], self._node.clock.now()):
            raise _missing(request.path_params["id"])
        return Response(status_code=204)

    async def _store(self, items: list[Item]) -> None:
        try:
            await self._node.shop.put_items(items, self._node.clock.now())
        except CatalogueFull as full:
            raise Problem(409, "The catalogue is full", str(full)) from None


def _page(request: Request, most: int) -> tuple[int, int]:
    told = {name: request.query_params.get(name, default) for name, default in (("after", "-1"), ("limit", "100"))}
    try:
        after, limit = int(told["after"]), int(told["limit"])
    except ValueError:
        limit = after = -2
    if not (1 <= limit <= most and after >= -1):
        raise Problem(400, "Not a valid page", f"limit is a number from 1 to {most}, after the `next` of an answer")
    return after, limit


class _Named(msgspec.Struct):
    id: str = ""


def _result(part: msgspec.Raw, told: Item | list[FieldError]) -> ItemResult:
    if isinstance(told, Item):
        return ItemResult(told.id, "stored")
    try:
        named = msgspec.json.decode(part, type=_Named).id
    except (msgspec.DecodeError, UnicodeDecodeError):
        named = ""
    return ItemResult(named, "rejected", told)


def _missing(item_id: str) -> Problem:
    return Problem(404, "No such item", f"there is no item with the id '{item_id}'")
