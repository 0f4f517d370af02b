"""A privacy officer's desk: what people asked for, by when it is due, what is held about them, and carrying it out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.privacy.dsar import (
    PrivacyRequest,
    RequestOnWire,
    acknowledge,
    close,
    described,
    extend,
    find_request,
    object_or_pause,
    open_request,
    subject_of,
)
from app.privacy.holdings import HeldTable, consent_in_force, find_held, receipts_of, tables_of
from app.problem import Problem, read_json
from app.routes.admin import require, staff_of
from app.routes.answers import json_response
from app.routes.body import read_body
from app.routes.me import HeldCount
from app.routes.openapi import Operation
from store.requests import RequestRow

if TYPE_CHECKING:
    from app.node import Node

NO_STORE = {"cache-control": "private, no-store"}
_BODY = 16_384
_LISTED = 1_000


class RequestList(msgspec.Struct, frozen=True):
    """GET /v1/privacy/requests: the open ones by deadline, then the latest answered."""

    open: list[PrivacyRequest]
    answered: list[PrivacyRequest]


class Preview(msgspec.Struct, frozen=True):
    """What is held about the person a request names."""

    request: PrivacyRequest
    known: bool
    held: list[HeldCount]


class Executed(msgspec.Struct, frozen=True):
    """What came of it; `export` only where data was asked for."""

    request: PrivacyRequest
    export: list[HeldTable] = []
    consent: list[dict[str, Any]] = []
    receipts: list[Any] = []


_DECODER = msgspec.json.Decoder(RequestOnWire)
OPERATIONS = [
    Operation("get", "/v1/privacy/requests", "Open and answered requests", answer=RequestList, key="privacy",
              problems=(401, 403)),
    Operation(
        "post", "/v1/privacy/requests", "Take a request down", RequestOnWire, PrivacyRequest, 201,
        key="privacy", problems=(400, 401, 403, 413, 429),
    ),
    Operation("get", "/v1/privacy/requests/{id}", "One request, with its receipt", answer=PrivacyRequest,
              key="privacy", problems=(401, 403, 404)),
    *(
        Operation(
            "post", f"/v1/privacy/requests/{{id}}:{action}", summary, answer=answer, key="privacy",
            problems=(401, 403, 404, 409, 503),
        )
        for action, summary, answer in (
            ("acknowledge", "The person was told that it has come", PrivacyRequest),
            ("extend", "More time, once", PrivacyRequest),
            ("preview", "What is held about the person", Preview),
            ("execute", "Do what was asked for", Executed),
        )
    ),
]  # fmt: skip


def routes(node: Node) -> list[Route]:
    desk = Desk(node)
    return [
        Route("/v1/privacy/requests", desk.list, methods=["GET"]),
        Route("/v1/privacy/requests", desk.create, methods=["POST"]),
        Route("/v1/privacy/requests/{id}", desk.get, methods=["GET"]),
        Route("/v1/privacy/requests/{id}", desk.act, methods=["POST"]),
    ]


class Desk:
    """The handlers. Every act is in the audit log, by request number."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def list(self, request: Request) -> Response:
        require(request, "privacy")
        node = self._node
        answer = RequestList(
            [described(node, row) for row in node.requests.open(_LISTED)],
            [described(node, row) for row in node.requests.closed(_LISTED)],
        )
        return json_response(answer, headers=NO_STORE)

    async def create(self, request: Request) -> Response:
        session = require(request, "privacy")
        told = read_json(_DECODER.decode, await read_body(request, _BODY))
        made = await open_request(self._node, told)
        await staff_of(request).note(session.name, f"{told.kind} requested", made.id)
        return json_response(made, 201, NO_STORE | {"location": f"/v1/privacy/requests/{made.id}"})

    async def get(self, request: Request) -> Response:
        require(request, "privacy")
        return json_response(
            described(self._node, find_request(self._node, request.path_params["id"])), headers=NO_STORE
        )

    async def act(self, request: Request) -> Response:
        number, _, action = request.path_params["id"].partition(":")
        if action not in ACTS:
            raise Problem(404, "No such action", f"there are {', '.join(ACTS)}")
        session = require(request, "privacy", confirmed=action in CONFIRMED)
        answer = await act_on(self._node, session.name, find_request(self._node, number), action)
        return json_response(answer, headers=NO_STORE)


async def act_on(node: Node, actor: str, row: RequestRow, action: str) -> PrivacyRequest | Preview | Executed:
    """One of ACTS, written down in the audit log. Raises Problem 409 for a request that is answered already."""
    answer = await ACTS[action](node, row)
    await node.staff.note(actor, f"{row.kind} request: {action}", f"{row.id:016x}")
    return answer


async def _acknowledge(node: Node, row: RequestRow) -> PrivacyRequest:
    return described(node, await acknowledge(node, row))


async def _extend(node: Node, row: RequestRow) -> PrivacyRequest:
    return described(node, await extend(node, row))


async def _preview(node: Node, row: RequestRow) -> Preview:
    held = await find_held(node, subject_of(node, row))
    counts = [
        HeldCount(each.file, each.table, each.categories, each.purposes, each.kept_for, len(each.rows))
        for each in tables_of(held)
    ]
    return Preview(described(node, row), held.known, counts)


async def _execute(node: Node, row: RequestRow) -> Executed:
    ids = subject_of(node, row)
    if row.kind == "erasure":
        await node.erasures.erase(ids, row)
        return Executed(described(node, node.requests.get(row.id) or row))
    if row.kind in ("access", "export"):
        held = await find_held(node, ids)
        tables = tables_of(held)
        did = {"handed out": {f"{each.file}/{each.table}": len(each.rows) for each in tables}}
        closed = await close(node, row, did)
        return Executed(described(node, closed), tables, consent_in_force(held), receipts_of(held))
    return Executed(described(node, await close(node, row, await object_or_pause(node, row))))


Act = Callable[["Node", RequestRow], Awaitable[PrivacyRequest | Preview | Executed]]
ACTS: dict[str, Act] = {"acknowledge": _acknowledge, "extend": _extend, "preview": _preview, "execute": _execute}
CONFIRMED = ("preview", "execute")
"""Acts that want the password entered again."""
