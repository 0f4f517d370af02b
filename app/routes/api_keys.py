"""/v1/keys: an operator makes and revokes the keys with which pages and the shop's server use the API, at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.ingest.wire import EVENT_NAMES
from app.problem import FieldError, Problem
from app.routes.admin import require
from app.routes.answers import json_response
from app.routes.openapi import Operation
from app.routes.sign_in import read_small
from app.suggestion import suggest
from store.api_keys import ApiKey

if TYPE_CHECKING:
    from app.admin.staff import Staff
    from app.node import Node
    from store.keys import KeyRing

Origin = Annotated[str, Meta(pattern=r"^https?://[^/?#\s]+\Z", description="An origin such as https://shop.example")]
_MOST = 1_000


class KeyOnWire(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """POST /v1/keys."""

    kind: Literal["public", "server"]
    origins: list[Origin] = []
    """Storefronts a public key may be used from; empty: any."""
    events: list[str] = []
    """Events it may send; empty: any."""


class KeyAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """A key. A server key's text is told once, when it is made."""

    id: int
    kind: str
    shown: str
    origins: tuple[str, ...]
    events: tuple[str, ...]
    created: int
    key: str = ""


class KeysAnswer(msgspec.Struct, frozen=True):
    """GET /v1/keys."""

    keys: list[KeyAnswer]


OPERATIONS = [
    Operation("get", "/v1/keys", "Keys of the API", answer=KeysAnswer, key="operator", problems=(401, 403)),
    Operation("post", "/v1/keys", "Make a key", KeyOnWire, KeyAnswer, status=201, key="operator",
              problems=(400, 401, 403, 409, 413, 415)),
    Operation("delete", "/v1/keys/{id}", "Revoke a key, at once", status=204, key="operator",
              problems=(401, 403, 404)),
]  # fmt: skip


def routes(node: Node) -> list[Route]:
    handlers = Handlers(node)
    return [
        Route("/v1/keys", handlers.all, methods=["GET"]),
        Route("/v1/keys", handlers.create, methods=["POST"]),
        Route("/v1/keys/{id}", handlers.revoke, methods=["DELETE"]),
    ]


class Handlers:
    """The handlers with what they share."""

    def __init__(self, node: Node) -> None:
        self._keys = node.keys
        self._staff = node.staff

    async def all(self, request: Request) -> Response:
        require(request, "operator")
        return json_response(KeysAnswer([_answer(key) for key in self._keys.api_keys()]))

    async def create(self, request: Request) -> Response:
        session = require(request, "operator", confirmed=True)
        key, text = await make_key(self._keys, self._staff, session.name, await read_small(request, KeyOnWire))
        return json_response(_answer(key, text), 201)

    async def revoke(self, request: Request) -> Response:
        session = require(request, "operator", confirmed=True)
        await revoke_key(self._keys, self._staff, session.name, request.path_params["id"])
        return Response(status_code=204)


async def make_key(keys: KeyRing, staff: Staff, actor: str, told: KeyOnWire) -> tuple[ApiKey, str]:
    """A new key and its text, which is told only now. Raises Problem 400 and 409."""
    if told.kind == "server" and (told.origins or told.events):
        raise Problem(400, "Not a valid key", "a server key is for the shop's server: it has no origins or events")
    unknown = [
        FieldError(f"/events/{place}", f"no such event{suggest(name, EVENT_NAMES)}")
        for place, name in enumerate(told.events)
        if name not in EVENT_NAMES
    ]
    if unknown:
        raise Problem(400, "Not a valid key", errors=unknown)
    if len(keys.api_keys()) >= _MOST:
        raise Problem(409, "Too many keys", f"there are {_MOST}; revoke some")
    text = await keys.create_api_key(told.kind, told.origins, told.events, now=staff.now())
    key = keys.check(text)
    assert key is not None
    await staff.note(actor, "key created", f"{key.kind} key {key.id}")
    return key, text


async def revoke_key(keys: KeyRing, staff: Staff, actor: str, told: str) -> ApiKey:
    """The key of that number is none from now on. Raises Problem 404."""
    found = next((key for key in keys.api_keys() if str(key.id) == told), None)
    if found is None:
        raise Problem(404, "No such key", "GET /v1/keys lists them")
    await keys.revoke_api_key(found.id)
    await staff.note(actor, "key revoked", f"{found.kind} key {found.id}")
    return found


def _answer(key: ApiKey, text: str = "") -> KeyAnswer:
    return KeyAnswer(key.id, key.kind, key.shown, key.origins, key.events, key.created, text)
