"""/v1/personas: visitors made up by staff, to look at rules with. No real visitor can be saved as one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.merchandising.personas import Persona, PersonaOnWire, unknown_ids
from app.problem import FieldError, Problem, read_json
from app.routes.admin import require
from app.routes.answers import json_response
from app.routes.body import read_media
from app.routes.openapi import Operation

if TYPE_CHECKING:
    from app.node import Node

NO_STORE = {"cache-control": "private, no-store"}
_read = msgspec.json.Decoder(PersonaOnWire).decode


class PersonasAnswer(msgspec.Struct, frozen=True):
    """Every saved persona, by id."""

    personas: list[Persona]


OPERATIONS = [
    Operation("get", "/v1/personas", "Made-up visitors to preview rules with", answer=PersonasAnswer, key="marketer",
              problems=(401, 403)),
    Operation("put", "/v1/personas/{id}", "Save a persona", PersonaOnWire, Persona, key="marketer",
              problems=(400, 401, 403, 409, 413, 415)),
    Operation("delete", "/v1/personas/{id}", "Remove a persona", status=204, key="marketer", problems=(401, 403, 404)),
]  # fmt: skip


def routes(node: Node) -> list[Route]:
    shelf = Shelf(node)
    return [
        Route("/v1/personas", shelf.all, methods=["GET"]),
        Route("/v1/personas/{id}", shelf.put, methods=["PUT"]),
        Route("/v1/personas/{id}", shelf.delete, methods=["DELETE"]),
    ]


class Shelf:
    """The handlers with what they share."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._store = node.rule_book.store

    async def all(self, request: Request) -> Response:
        require(request, "marketer")
        return json_response(PersonasAnswer(await self._node.rule_book.personas()), headers=NO_STORE)

    async def put(self, request: Request) -> Response:
        session = require(request, "marketer")
        body = await read_media(request, self._node.config.serving.body_bytes)
        told = read_json(_read, body, "Not a valid persona")
        name = request.path_params["id"]
        try:
            made = msgspec.convert({**msgspec.to_builtins(told), "id": name}, Persona)
        except msgspec.ValidationError:
            detail = "an id has small letters, digits and -, at most 64"
            raise Problem(400, "Not a valid persona", detail, errors=[FieldError("/id", detail)]) from None
        unknown = unknown_ids(told, self._node.catalogue)
        if unknown:
            detail = f"the catalogue does not know {', '.join(unknown[:5])}"
            raise Problem(400, "Not a valid persona", detail, errors=[FieldError("", detail)])
        names = [kept for kept, _ in await self._store.personas()]
        most = self._node.config.rules.personas_at_most
        if name not in names and len(names) >= most:
            raise Problem(409, "Too many personas", f"there are {most} ([rules] personas_at_most); remove some")
        await self._store.put_persona(name, msgspec.json.encode(made))
        await self._node.staff.note(session.name, "persona saved", name)
        return json_response(made, headers=NO_STORE)

    async def delete(self, request: Request) -> Response:
        session = require(request, "marketer")
        name = request.path_params["id"]
        if not await self._store.remove_persona(name):
            raise Problem(404, "No such persona", "GET /v1/personas lists them")
        await self._node.staff.note(session.name, "persona removed", name)
        return Response(status_code=204)
