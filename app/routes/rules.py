"""/v1/rules: marketers write rules as a draft and look at what they would do, before anybody is shown anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.merchandising.book import (
    NoSuchRule,
    etag_of,
    name_of,
)
from app.merchandising.exchange import NotToml, from_toml, to_toml
from app.merchandising.personas import NOBODY, PersonaOnWire
from app.merchandising.preview import Previewer
from app.merchandising.report import Reporter
from app.merchandising.wire import (
    ImportedAnswer,
    PreviewAnswer,
    PreviewOnWire,
    RuleOnWire,
    RulesAnswer,
    RuleTold,
)
from app.problem import FieldError, Problem, read_json
from app.routes.admin import require
from app.routes.answers import json_response
from app.routes.body import JSON, read_media
from app.routes.conditional import TOLD as IF_MATCH
from app.routes.conditional import if_match
from app.routes.idempotency import TOLD as ONCE
from app.routes.idempotency import Once
from app.routes.openapi import Operation
from app.routes.rule_answers import NO_STORE, WRITES, as_problems, revision_of
from app.rules.model import read_rules
from app.rules.schedule import moment
from app.search.search import Searcher
from app.serving.recommend import UnknownPlacement

if TYPE_CHECKING:
    from app.node import Node

TOML = "application/toml"
_read_rule = msgspec.json.Decoder(RuleOnWire).decode
_read_preview = msgspec.json.Decoder(PreviewOnWire).decode

OPERATIONS = [
    Operation("get", "/v1/rules", "The draft: every rule with its state, conflicts, warnings", answer=RulesAnswer,
              key="marketer", problems=(401, 403, 409)),
    Operation("post", "/v1/rules", "A new rule in the draft", RuleOnWire, RuleTold, status=201, key="marketer",
              headers=ONCE, problems=(*WRITES, 409, 422)),
    Operation("get", "/v1/rules/{id}", "One rule of the draft", answer=RuleTold, key="marketer",
              problems=(401, 403, 404, 409)),
    Operation("put", "/v1/rules/{id}", "Change a rule of the draft", RuleOnWire, RuleTold, key="marketer",
              headers=IF_MATCH, problems=(*WRITES, 404, 409, 412, 428)),
    Operation("delete", "/v1/rules/{id}", "Take a rule out of the draft", status=204, key="marketer",
              headers=IF_MATCH, problems=(401, 403, 404, 409, 412, 428)),
    Operation("post", "/v1/rules:preview", "A list before and after, for a persona", PreviewOnWire, PreviewAnswer,
              key="marketer", problems=(*WRITES, 404, 409)),
    Operation("post", "/v1/rules:discard", "Begin the draft anew with what is in force", answer=ImportedAnswer,
              key="marketer", headers=IF_MATCH, problems=(401, 403, 409, 412, 428)),
    Operation("get", "/v1/rules:export", "The draft as TOML", media=TOML, key="marketer", problems=(401, 403, 409)),
    Operation("post", "/v1/rules:import", "Replace the draft by a TOML file", answer=ImportedAnswer, key="marketer",
              headers=IF_MATCH, problems=(*WRITES, 409, 412, 428)),
]  # fmt: skip


def routes(node: Node) -> list[Route]:
    desk = Desk(node)
    return [
        Route("/v1/rules", desk.all, methods=["GET"]),
        Route("/v1/rules", desk.create, methods=["POST"]),
        Route("/v1/rules:preview", desk.preview, methods=["POST"]),
        Route("/v1/rules:discard", desk.discard, methods=["POST"]),
        Route("/v1/rules:export", desk.export, methods=["GET"]),
        Route("/v1/rules:import", desk.take_in, methods=["POST"]),
        Route("/v1/rules/{id}", desk.get, methods=["GET"]),
        Route("/v1/rules/{id}", desk.put, methods=["PUT"]),
        Route("/v1/rules/{id}", desk.delete, methods=["DELETE"]),
    ]


class Desk:
    """The handlers with what they share. Every change is in the audit log."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._book = node.rule_book
        self._staff = node.staff
        self._once = Once()
        self._reporter = Reporter(node)
        searcher = Searcher(node.search, node.recommender, lambda: node.model, node.config.search)
        self._previewer = Previewer(node.recommender, searcher)

    # ---- the draft

    async def all(self, request: Request) -> Response:
        require(request, "marketer")
        with as_problems():
            answer = await self._reporter.report()
        return json_response(answer, headers=NO_STORE | {"etag": answer.etag})

    async def create(self, request: Request) -> Response:
        session = require(request, "marketer")
        body = await self._body(request)

        async def work() -> Response:
            told = read_json(_read_rule, body, "Not a valid rule")
            with as_problems():
                made = await self._book.add(told.rule(), author=session.name, now=self._staff.now())
                await self._staff.note(session.name, "rule added", made.id)
                return await self._told(made.id, 201, {"location": f"/v1/rules/{made.id}"})

        return await self._once.answer(request, session.name, body, work)

    async def get(self, request: Request) -> Response:
        require(request, "marketer")
        with as_problems():
            return await self._told(request.path_params["id"])

    async def put(self, request: Request) -> Response:
        session = require(request, "marketer")
        etag, rule_id = if_match(request), request.path_params["id"]
        told = read_json(_read_rule, await self._body(request), "Not a valid rule")
        if told.id not in ("", rule_id):
            wrong = FieldError("/id", f"the path says '{rule_id}'; a rule keeps its id")
            raise Problem(400, "Not a valid rule", errors=[wrong])
        with as_problems():
            await self._book.rule(rule_id)
            made = await self._book.put(told.rule(rule_id), etag, author=session.name, now=self._staff.now())
            await self._staff.note(session.name, "rule changed", made.id)
            return await self._told(made.id)

    async def delete(self, request: Request) -> Response:
        session = require(request, "marketer")
        etag, rule_id = if_match(request), request.path_params["id"]
        with as_problems():
            await self._book.remove(rule_id, etag, author=session.name, now=self._staff.now())
        await self._staff.note(session.name, "rule removed", rule_id)
        return Response(status_code=204)

    async def discard(self, request: Request) -> Response:
        session = require(request, "marketer")
        with as_problems():
            draft = await self._book.discard(revision_of(request), author=session.name, now=self._staff.now())
        await self._staff.note(session.name, "rules draft discarded", name_of(draft.based_on))
        etag = etag_of(draft.revision)
        return json_response(ImportedAnswer(etag, len(read_rules(draft.body))), headers=NO_STORE | {"etag": etag})

    async def export(self, request: Request) -> Response:
        require(request, "marketer")
        with as_problems():
            draft, rules = await self._book.draft()
        headers = NO_STORE | {
            "etag": etag_of(draft.revision),
            "content-disposition": 'attachment; filename="rules.toml"',
        }
        return Response(to_toml(rules), headers=headers, media_type=TOML)

    async def take_in(self, request: Request) -> Response:
        session = require(request, "marketer")
        revision, body = revision_of(request), await self._body(request, TOML)
        try:
            rules = from_toml(body.decode())
        except NotToml as error:
            raise Problem(400, "Not valid rules", str(error), errors=error.problems) from None
        except UnicodeDecodeError:
            raise Problem(400, "Not valid rules", "its text is not UTF-8") from None
        with as_problems():
            draft = await self._book.replace(rules, revision, author=session.name, now=self._staff.now())
        await self._staff.note(session.name, "rules imported", f"{len(rules)} rules")
        etag = etag_of(draft.revision)
        return json_response(ImportedAnswer(etag, len(rules)), headers=NO_STORE | {"etag": etag})

    # ---- looking

    async def preview(self, request: Request) -> Response:
        require(request, "marketer")
        told = read_json(_read_preview, await self._body(request))
        persona = await self._persona(told)
        node, now = self._node, self._node.clock.now()
        if told.at:
            try:
                now = moment(told.at, node.rules.zone, end_of_day=False)
            except (ValueError, OverflowError) as error:
                raise Problem(400, "Not a valid request", errors=[FieldError("/at", str(error))]) from None
        with as_problems():
            before, after = await self._book.rule_set(told.before), await self._book.rule_set(told.after)
        try:
            answer = self._previewer.preview(told, persona, before, after, now)
        except UnknownPlacement as unknown:
            raise Problem(404, "No such placement", str(unknown)) from None
        return json_response(answer, headers=NO_STORE)

    async def _persona(self, told: PreviewOnWire) -> PersonaOnWire:
        if told.persona is None:
            return told.visitor or NOBODY
        for persona in await self._book.personas():
            if persona.id == told.persona:
                return persona
        raise Problem(404, "No such persona", f"there is no persona '{told.persona}'; GET /v1/personas lists them")

    # ---- how

    async def _body(self, request: Request, media: str = JSON) -> bytes:
        return await read_media(request, self._node.config.rules.body_bytes, media)

    async def _told(self, rule_id: str, status: int = 200, headers: dict[str, str] | None = None) -> Response:
        answer = await self._reporter.report()
        found = next((each for each in answer.rules if each.rule.id == rule_id), None)
        if found is None:
            raise NoSuchRule(f"there is no rule '{rule_id[:64]}' in the draft")
        return json_response(found, status, NO_STORE | {"etag": found.etag} | (headers or {}))
