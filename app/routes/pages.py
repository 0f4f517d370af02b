"""/v1/pages: which sections and banners the shop's pages have, arranged in a draft, published, and taken back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.experiences.book import (
    DamagedPages,
    NoSuchPage,
    NotAPage,
    PagesChanged,
    PageWritten,
    etag_of,
    name_of,
)
from app.experiences.options import ExperienceOptions
from app.merchandising.wire import PublishOnWire, RollbackOnWire, VersionsAnswer, VersionTold
from app.problem import FieldError, Problem, read_json
from app.routes.admin import require
from app.routes.answers import json_response
from app.routes.body import JSON, read_media
from app.routes.conditional import TOLD as IF_MATCH
from app.routes.conditional import changed_since
from app.routes.idempotency import TOLD as ONCE
from app.routes.idempotency import Once
from app.routes.openapi import Operation
from app.routes.rule_answers import NO_STORE, WRITES, revision_of
from store.versions import Draft, Version

if TYPE_CHECKING:
    from app.node import Node

READERS = ("marketer", "privacy", "operator")
SHOWN_AT_MOST = 200


class PageOnWire(ExperienceOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """PUT /v1/pages/{page}: the page as [experiences.PAGE] would say it."""


class PageTold(msgspec.Struct, frozen=True):
    """A page of the draft."""

    page: str
    options: ExperienceOptions
    source: Literal["configuration", "console"]
    """Where the draft has it from."""
    published: Literal["same", "changed", "not yet"]
    """Beside what is in force."""


class PagesAnswer(msgspec.Struct, frozen=True):
    """GET /v1/pages: the draft, over what the configuration says."""

    version: str
    """In force: "p4"; "p0" is the configuration alone."""
    etag: str
    """Of the draft, to be sent as If-Match with every change."""
    changed: bool
    """Whether the draft differs from what is in force."""
    author: str
    at: int
    """Who wrote in the draft last, and when (epoch seconds)."""
    pages: list[PageTold]
    problem: str
    """Why what was published is not in force."""


class PagesDraft(msgspec.Struct, frozen=True):
    """After a change of the draft."""

    etag: str


class PagesPublished(msgspec.Struct, frozen=True):
    """What is in force from now on."""

    version: str
    etag: str


_CHANGES = (401, 403, 404, 409, 412, 428)
_KEY = " or ".join(READERS)
OPERATIONS = [
    Operation("get", "/v1/pages", "The pages of the shop as drafted: sections, banners", answer=PagesAnswer, key=_KEY,
              problems=(401, 403, 409)),
    Operation("put", "/v1/pages/{page}", "Arrange a page in the draft", PageOnWire, PagesDraft, key="marketer",
              headers=IF_MATCH, problems=(*WRITES, 409, 412, 428)),
    Operation("delete", "/v1/pages/{page}", "A page as the configuration has it again, in the draft", answer=PagesDraft,
              key="marketer", headers=IF_MATCH, problems=_CHANGES),
    Operation("post", "/v1/pages:publish", "The draft is in force with the next request", PublishOnWire, PagesPublished,
              key="marketer", headers=IF_MATCH | ONCE, problems=(*WRITES, 409, 412, 422, 428)),
    Operation("post", "/v1/pages:rollback", "Back to an old version, as a new one; p0: to the configuration",
              RollbackOnWire, PagesPublished, key="marketer", headers=IF_MATCH | ONCE,
              problems=(*WRITES, 404, 409, 412, 422, 428)),
    Operation("post", "/v1/pages:discard", "Begin the draft anew with what is in force", answer=PagesDraft,
              key="marketer", headers=IF_MATCH, problems=(401, 403, 409, 412, 428)),
    Operation("get", "/v1/pages/versions", "What was published", answer=VersionsAnswer, key=_KEY, problems=(401, 403)),
]  # fmt: skip


def routes(node: Node) -> list[Route]:
    desk = PagesDesk(node)
    return [
        Route("/v1/pages", desk.all, methods=["GET"]),
        Route("/v1/pages:publish", desk.publish, methods=["POST"]),
        Route("/v1/pages:rollback", desk.roll_back, methods=["POST"]),
        Route("/v1/pages:discard", desk.discard, methods=["POST"]),
        Route("/v1/pages/versions", desk.versions, methods=["GET"]),
        Route("/v1/pages/{page}", desk.put, methods=["PUT"]),
        Route("/v1/pages/{page}", desk.remove, methods=["DELETE"]),
    ]


class PagesDesk:
    """The handlers with what they share. Every change is in the audit log."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._book = node.page_book
        self._staff = node.staff
        self._once = Once()

    async def all(self, request: Request) -> Response:
        require(request, *READERS)
        with page_problems():
            answer = await report(self._node)
        return json_response(answer, headers=NO_STORE | {"etag": answer.etag})

    async def put(self, request: Request) -> Response:
        session = require(request, "marketer")
        revision, name = revision_of(request), request.path_params["page"]
        told = read_json(_read_page, await self._body(request), "Not a valid page")
        try:
            page = msgspec.convert(msgspec.to_builtins(told) | {"page": name}, PageWritten)
        except msgspec.ValidationError:
            wrong = FieldError("/page", "a page is called with small letters, digits, - and _")
            raise Problem(400, "Not a valid page", errors=[wrong]) from None
        with page_problems():
            draft = await self._book.put(page, revision, author=session.name, now=self._staff.now())
        await self._staff.note(session.name, "page arranged", name)
        return _drafted(draft)

    async def remove(self, request: Request) -> Response:
        session = require(request, "marketer")
        name = request.path_params["page"]
        with page_problems():
            draft = await self._book.remove(name, revision_of(request), author=session.name, now=self._staff.now())
        await self._staff.note(session.name, "page as configured", name)
        return _drafted(draft)

    async def discard(self, request: Request) -> Response:
        session = require(request, "marketer")
        with page_problems():
            draft = await self._book.discard(revision_of(request), author=session.name, now=self._staff.now())
        await self._staff.note(session.name, "pages draft discarded", name_of(draft.based_on))
        return _drafted(draft)

    async def publish(self, request: Request) -> Response:
        session = require(request, "marketer")
        revision, body = revision_of(request), await self._body(request)

        async def work() -> Response:
            told = read_json(_read_publish, body) if body.strip() else PublishOnWire()
            with page_problems():
                made = await self._book.publish(revision, author=session.name, now=self._staff.now(), note=told.note)
            return await self._published(session.name, "pages published", made)

        return await self._once.answer(request, session.name, body, work)

    async def roll_back(self, request: Request) -> Response:
        session = require(request, "marketer")
        revision, body = revision_of(request), await self._body(request)

        async def work() -> Response:
            told = read_json(_read_rollback, body)
            with page_problems():
                made = await self._book.roll_back(told.to, revision, author=session.name, now=self._staff.now())
            return await self._published(session.name, f"pages rolled back to {told.to}", made)

        return await self._once.answer(request, session.name, body, work)

    async def versions(self, request: Request) -> Response:
        require(request, *READERS)
        found = await self._book.store.versions(SHOWN_AT_MOST)
        return json_response(VersionsAnswer([version_told(each) for each in found]), headers=NO_STORE)

    async def _body(self, request: Request) -> bytes:
        return await read_media(request, self._node.config.rules.body_bytes, JSON)

    async def _published(self, by: str, action: str, made: Version) -> Response:
        await self._staff.note(by, action, name_of(made.number))
        etag = etag_of((await self._book.store.draft()).revision)
        return json_response(PagesPublished(name_of(made.number), etag), headers=NO_STORE | {"etag": etag})


async def report(node: Node) -> PagesAnswer:
    """The draft beside what is in force. Raises DamagedPages."""
    book = node.page_book
    draft, written = await book.draft()
    drafted, in_force = await book.pages_of("draft"), node.experiences.pages
    here = {each.page for each in written}

    def told(name: str) -> PageTold:
        published: Literal["same", "changed", "not yet"] = (
            "not yet" if name not in in_force else "same" if in_force[name] == drafted[name] else "changed"
        )
        return PageTold(name, drafted[name], "console" if name in here else "configuration", published)

    return PagesAnswer(
        name_of(book.number), etag_of(draft.revision), drafted != in_force, draft.author, draft.at,
        [told(name) for name in sorted(drafted)], book.problem,
    )  # fmt: skip


def version_told(version: Version) -> VersionTold:
    """One version, as the list of them says it."""
    copy_of = name_of(version.copy_of) if version.copy_of else ""
    return VersionTold(name_of(version.number), version.author, version.at, version.note, copy_of, version.size)


def _drafted(draft: Draft) -> Response:
    etag = etag_of(draft.revision)
    return json_response(PagesDraft(etag), headers=NO_STORE | {"etag": etag})


@contextmanager
def page_problems() -> Iterator[None]:
    """What the book refuses, as what a client is told."""
    try:
        yield
    except PagesChanged as changed:
        raise changed_since(changed.etag) from None
    except NoSuchPage as missing:
        raise Problem(404, "No such page or version", str(missing)) from None
    except DamagedPages as damaged:
        raise Problem(409, "Damaged", str(damaged)) from None
    except NotAPage as wrong:
        raise Problem(400, "Not a valid page", wrong.problems[0].detail, errors=wrong.problems) from None


_read_page = msgspec.json.Decoder(PageOnWire).decode
_read_publish = msgspec.json.Decoder(PublishOnWire).decode
_read_rollback = msgspec.json.Decoder(RollbackOnWire).decode
