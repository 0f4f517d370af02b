"""/v1/rules:publish and what follows: the draft is put into force, looked back at, and taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.admin.sessions import Session
from app.merchandising.analysis import Analysis
from app.merchandising.book import etag_of, name_of, number_of, readable
from app.merchandising.diff import Diff, diff
from app.merchandising.report import Reporter
from app.merchandising.wire import (
    Published,
    PublishOnWire,
    RollbackOnWire,
    VersionAnswer,
    VersionsAnswer,
    VersionTold,
)
from app.problem import read_json
from app.routes.admin import require
from app.routes.answers import json_response
from app.routes.body import JSON, read_media
from app.routes.conditional import TOLD as IF_MATCH
from app.routes.idempotency import TOLD as ONCE
from app.routes.idempotency import Once
from app.routes.openapi import Operation
from app.routes.rule_answers import NO_STORE, WRITES, as_problems, revision_of
from app.rules.model import read_rules
from store.versions import Version

if TYPE_CHECKING:
    from app.node import Node

SHOWN_AT_MOST = 200
_read_publish = msgspec.json.Decoder(PublishOnWire).decode
_read_rollback = msgspec.json.Decoder(RollbackOnWire).decode

OPERATIONS = [
    Operation("post", "/v1/rules:publish", "The draft is in force with the next request", PublishOnWire, Published,
              key="marketer", headers=IF_MATCH | ONCE, problems=(*WRITES, 409, 412, 422, 428)),
    Operation("post", "/v1/rules:rollback", "Back to an old version, as a new one", RollbackOnWire, Published,
              key="marketer", headers=IF_MATCH | ONCE, problems=(*WRITES, 404, 409, 412, 422, 428)),
    Operation("get", "/v1/rules/versions", "What was published", answer=VersionsAnswer, key="marketer",
              problems=(401, 403)),
    Operation("get", "/v1/rules/versions/{version}", "One version with its rules", answer=VersionAnswer,
              key="marketer", problems=(401, 403, 404, 409)),
    Operation("get", "/v1/rules/versions/{version}/diff", "What changed from another version to this one",
              answer=Diff, key="marketer", problems=(401, 403, 404, 409),
              query={"against": "Version to compare with: r41, draft or published; the one before if left out"}),
]  # fmt: skip


def routes(node: Node) -> list[Route]:
    desk = VersionDesk(node)
    return [
        Route("/v1/rules:publish", desk.publish, methods=["POST"]),
        Route("/v1/rules:rollback", desk.roll_back, methods=["POST"]),
        Route("/v1/rules/versions", desk.versions, methods=["GET"]),
        Route("/v1/rules/versions/{version}", desk.version, methods=["GET"]),
        Route("/v1/rules/versions/{version}/diff", desk.diff, methods=["GET"]),
    ]


class VersionDesk:
    """The handlers with what they share. Every change is in the audit log."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._book = node.rule_book
        self._staff = node.staff
        self._once = Once()
        self._reporter = Reporter(node)

    async def publish(self, request: Request) -> Response:
        session = require(request, "marketer")
        revision, body = revision_of(request), await self._body(request)

        async def work() -> Response:
            told = read_json(_read_publish, body) if body.strip() else PublishOnWire()
            with as_problems():
                made = await self._book.publish(revision, author=session.name, now=self._staff.now(), note=told.note)
            return await self._published(session, "rules published", made)

        return await self._once.answer(request, session.name, body, work)

    async def roll_back(self, request: Request) -> Response:
        session = require(request, "marketer")
        revision, body = revision_of(request), await self._body(request)

        async def work() -> Response:
            told = read_json(_read_rollback, body)
            with as_problems():
                made, kept = await self._book.roll_back(
                    number_of(told.to), revision, author=session.name, now=self._staff.now()
                )
            return await self._published(session, f"rules rolled back to {told.to}", made, kept)

        return await self._once.answer(request, session.name, body, work)

    async def versions(self, request: Request) -> Response:
        require(request, "marketer")
        found = await self._book.store.versions(SHOWN_AT_MOST)
        return json_response(VersionsAnswer([_version_told(each) for each in found]), headers=NO_STORE)

    async def version(self, request: Request) -> Response:
        require(request, "marketer")
        with as_problems():
            found = await self._book.version(number_of(request.path_params["version"]))
            return json_response(
                VersionAnswer(_version_told(found), readable(found.body, found.number)), headers=NO_STORE
            )

    async def diff(self, request: Request) -> Response:
        require(request, "marketer")
        name = request.path_params["version"]
        with as_problems():
            before = request.query_params.get("against", "") or await self._before(name)
            first, second = await self._book.rules_of(before), await self._book.rules_of(name)
            return json_response(diff(first, second, (before, name)), headers=NO_STORE)

    async def _before(self, name: str) -> str:
        """What a version is compared with where nobody says."""
        if name in ("draft", "published", "none"):
            return "published"
        older = [
            each.number for each in await self._book.store.versions(SHOWN_AT_MOST) if each.number < number_of(name)
        ]
        return name_of(older[0]) if older else "none"

    async def _body(self, request: Request) -> bytes:
        return await read_media(request, self._node.config.rules.body_bytes, JSON)

    async def _published(self, session: Session, action: str, made: Version, kept: bool = False) -> Response:
        await self._staff.note(session.name, action, name_of(made.number))
        look: Analysis = await self._reporter.look(read_rules(made.body))
        etag = etag_of((await self._book.store.draft()).revision)
        answer = Published(name_of(made.number), etag, kept, look.conflicts, look.starving)
        return json_response(answer, headers=NO_STORE | {"etag": etag})


def _version_told(version: Version) -> VersionTold:
    return VersionTold(
        name_of(version.number), version.author, version.at, version.note, name_of(version.copy_of), version.size
    )
