"""GET /v1/me and /v1/me/export: a person sees, and takes along, everything that is held about them.

Ids travel in a header, never in an address. These answers need proof of being the person, and no consent.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.features.visitor import read_profile
from app.privacy.consent import PROOF, claim_of
from app.privacy.gatekeeper import ConsentSignal, gpc_signal, named_purposes
from app.privacy.holdings import Held, HeldTable, consent_in_force, find_held, receipts_of, tables_of
from app.privacy.identity import proved_ids
from app.privacy.receipts import Receipt
from app.privacy.signals import permitted
from app.problem import Problem
from app.routes.answers import json_response
from app.routes.asking import NAMES_VISITOR, PERSONAL, VISITOR_HEADER, Asking, visitor_header
from app.routes.cross_origin import CrossOrigin
from app.routes.openapi import Operation
from store.records import PURPOSE_NAMES, VAULT, Purpose

if TYPE_CHECKING:
    from app.node import Node

CATEGORIES = {name.partition(".")[2]: purpose for name, purpose in PURPOSE_NAMES.items() if purpose & VAULT}


class HeldCount(msgspec.Struct, frozen=True):
    """How much one table holds."""

    file: str
    table: str
    categories: list[str]
    purposes: list[str]
    kept_for: list[str]
    rows: int


class SegmentOfPerson(msgspec.Struct, frozen=True):
    """A group of people with a taste alike."""

    key: str
    name: str


class AboutMe(msgspec.Struct, frozen=True):
    """What is held, in numbers."""

    known: bool
    consent: list[dict[str, Any]]
    """What holds, per id the person is known by."""
    held: list[HeldCount]
    decisions: int
    segments: list[SegmentOfPerson]
    """Where the profile puts the person at this moment; worked out when asked, stored nowhere."""
    rights: dict[str, str]


class Export(msgspec.Struct, frozen=True):
    """Everything that is held, in clear (GDPR Art. 15 and 20)."""

    generated_at: str
    controller: str
    known: bool
    consent: list[dict[str, Any]]
    records: list[HeldTable]
    """Per table of the registry of personal fields, columns by name."""
    receipts: list[Receipt]


class VaultCategory(msgspec.Struct, frozen=True):
    """One category of the vault."""

    category: str
    entries: list[dict[str, Any]]


OPERATIONS = [
    Operation("get", "/v1/me", "What is held about a visitor, in numbers", answer=AboutMe, headers=NAMES_VISITOR,
              problems=(400, 401)),
    Operation("get", "/v1/me/export", "Everything that is held about a visitor", answer=Export, headers=NAMES_VISITOR,
              problems=(400, 401)),
    Operation(
        "get", "/v1/me/vault/{category}", "What a visitor opted into keeping, for pages such as past orders",
        answer=VaultCategory, headers=NAMES_VISITOR, problems=(400, 401, 403, 404),
    ),
]  # fmt: skip
RIGHTS = {
    "access and portability": "GET /v1/me/export",
    "erasure": "DELETE /v1/me",
    "withdrawal, objection, restriction": "POST /v1/consent",
}


def routes(node: Node) -> list[Route]:
    handlers = Handlers(node)
    readable = [Middleware(CrossOrigin, node.config.server.allowed_origins)]
    return [
        Route("/v1/me", handlers.about, methods=["GET", "OPTIONS"], middleware=readable),
        Route("/v1/me/export", handlers.export, methods=["GET", "OPTIONS"], middleware=readable),
        Route("/v1/me/vault/{category}", handlers.vault, methods=["GET", "OPTIONS"], middleware=readable),
    ]


def export_of(held: Held) -> Export:
    """Everything, as it is handed out."""
    node = held.node
    return Export(
        generated_at=datetime.fromtimestamp(node.clock.now(), UTC).isoformat(),
        controller=node.config.shop.name,
        known=held.known,
        consent=consent_in_force(held),
        records=tables_of(held),
        receipts=receipts_of(held),
    )


class Handlers:
    """The handlers with what they share."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._asking = Asking(node)

    async def about(self, request: Request) -> Response:
        """The same shape for somebody unknown: known is false, every count 0."""
        held = await self._held(request)
        counts = [
            HeldCount(each.file, each.table, each.categories, each.purposes, each.kept_for, len(each.rows))
            for each in tables_of(held)
        ]
        answer = AboutMe(held.known, consent_in_force(held), counts, len(held.decisions), self._segments(held), RIGHTS)
        return json_response(answer, headers=PERSONAL)

    async def export(self, request: Request) -> Response:
        """A file to download."""
        held = await self._held(request)
        answer = export_of(held)
        name = {"content-disposition": 'attachment; filename="my-data.json"'}
        return json_response(answer, headers={**PERSONAL, **name})

    async def vault(self, request: Request) -> Response:
        """One category, where the person's consent in force names it; 403 otherwise, whatever is held."""
        name = request.path_params["category"]
        category = CATEGORIES.get(name)
        if category is None:
            raise Problem(404, "No such category", f"there are {', '.join(CATEGORIES)}")
        told = visitor_header(request)
        if told is None or not proved_ids(claim_of(told, self._asking.key(request, "")), self._node.keys):
            raise Problem(401, "Who asks?", f"header {VISITOR_HEADER}: {PROOF}")
        most, also_gpc = permitted(self._node.plugins, told.signals)
        gpc = also_gpc or gpc_signal(request.headers.getlist("sec-gpc"))
        signal = ConsentSignal(told.consent or "", named_purposes(told.purposes), gpc=gpc, told=most)
        row, decision = self._asking.row(claim_of(told, self._asking.key(request, "")), signal)
        if row is None or not decision.allows(category):
            raise Problem(403, "Not agreed to", f"the visitor's consent in force does not name vault.{name}")
        entries = self._node.vault.read(row.surrogate, category, decision.purposes) or []
        ids = self._node.catalogue.ids
        told_entries = [msgspec.structs.asdict(entry) for entry in entries]
        for entry in told_entries:
            if "item" in entry:
                entry["item"] = ids[entry["item"]]
        return json_response(VaultCategory(f"vault.{name}", told_entries), headers=PERSONAL)

    def _segments(self, held: Held) -> list[SegmentOfPerson]:
        """Of what the person agreed to have a profile of."""
        model = self._node.generations.serving
        found: set[str] = set()
        for row in held.rows:
            if row.consent & Purpose.PROFILE:
                found |= model.segments(read_profile(row.profile).affinities)
        return [SegmentOfPerson(each["key"], each["name"]) for each in model.segment_list if each["key"] in found]

    async def _held(self, request: Request) -> Held:
        told = visitor_header(request)
        ids = [] if told is None else proved_ids(claim_of(told, self._asking.key(request, "")), self._node.keys)
        if not ids:
            raise Problem(401, "Who asks?", f"header {VISITOR_HEADER}, JSON: {PROOF}")
        return await find_held(self._node, ids)
