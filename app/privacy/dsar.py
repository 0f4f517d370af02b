"""What people ask of a privacy officer: taken down with its deadline, carried out, and from then on without a name."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Literal, cast

import msgspec

from app.privacy.consent import ConsentOnWire, decide
from app.privacy.erasure_case import (
    commitment_of,
    new_number,
    open_subject,
    seal_subject,
)
from app.privacy.erasure_receipt import erasure_receipt, facts_of
from app.privacy.identity import Claim, proved_ids
from app.privacy.receipts import signature_of
from app.privacy.request_clock import deadlines, extended
from app.privacy.visitor import VisitorOnWire
from app.problem import FieldError, Problem
from store.api_keys import ApiKey
from store.database import Transaction
from store.records import PURPOSE_NAMES
from store.requests import RequestRow

if TYPE_CHECKING:
    from app.node import Node

Kind = Literal["access", "export", "erasure", "objection", "restriction"]
_THE_SHOP = ApiKey(0, "server")
"""An officer speaks for the shop: the person's identity was checked by people."""


class RequestOnWire(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """POST /v1/privacy/requests."""

    kind: Kind
    visitor: VisitorOnWire
    jurisdiction: str = ""
    """`eu`, `us-ca`, `default` or one of the policy's own; empty: the shop's."""


class PrivacyRequest(msgspec.Struct, frozen=True):
    """One request, as the log shows it: never whom it is about. Times are epoch seconds, 0 = never."""

    id: str
    kind: str
    jurisdiction: str
    state: str
    """`open`, `acknowledged`, `executing`, `answered`, or `erased` where the person was forgotten meanwhile."""
    opened: int
    acknowledge_by: int
    due: int
    extended: bool
    overdue: bool
    closed: int
    commitment: str
    opening: str = ""
    """Told once, for the person: with it and the own id anyone can show that the request was theirs."""
    receipt: dict[str, Any] | None = None


def claim(visitor: VisitorOnWire) -> Claim:
    return Claim(visitor.anon or "", visitor.user or "", "", visitor.session or "", trusted=True)


async def open_request(node: Node, told: RequestOnWire) -> PrivacyRequest:
    """Take a request down. Raises Problem 400 for nobody and for an unknown jurisdiction, 429 beyond the bound."""
    ids = proved_ids(claim(told.visitor), node.keys)
    jurisdiction = told.jurisdiction or node.config.consent.home
    known = sorted(node.config.consent.jurisdictions())
    errors = [] if ids else [FieldError("/visitor", "name the person by `user`, `anon` or `session`")]
    if jurisdiction not in known:
        errors.append(FieldError("/jurisdiction", f"there are {', '.join(known)}"))
    if errors:
        raise Problem(400, "Not a valid request", errors=errors)
    if node.requests.count_open() >= node.config.erasure.open_requests:
        raise Problem(429, "Too many open requests", "answer some, or raise [erasure] open_requests")
    now, opening = int(node.clock.now()), secrets.token_bytes(16)
    acknowledge_by, due = deadlines(jurisdiction, now)
    row = RequestRow(
        new_number(), told.kind, jurisdiction, "open", now, acknowledge_by, due, 0, 0, commitment_of(opening, ids),
        seal_subject(node.keys, ids), None,
    )  # fmt: skip
    await _save(node, row)
    return msgspec.structs.replace(described(node, row), opening=opening.hex())


def find_request(node: Node, text: str) -> RequestRow:
    """The request of that id. Raises Problem 404."""
    try:
        row = node.requests.get(int(text, 16))
    except (ValueError, OverflowError):
        row = None
    if row is None:
        raise Problem(404, "No such request", "it was never made, or its record has expired")
    return row


def subject_of(node: Node, row: RequestRow) -> list[tuple[str, str]]:
    """Whom an open request is about. Raises Problem 409 once it is answered: then nobody knows any more."""
    if row.closed or row.subject is None:
        raise Problem(409, "Already answered", "whom the request was about is not known any more")
    return open_subject(node.keys, row)


async def acknowledge(node: Node, row: RequestRow) -> RequestRow:
    """The person was told that the request has come."""
    subject_of(node, row)
    return await _save(node, row._replace(state="acknowledged"))


async def extend(node: Node, row: RequestRow) -> RequestRow:
    """More time, as the law allows once; the person has to be told why."""
    subject_of(node, row)
    if row.extended:
        raise Problem(409, "Extended already", "the law allows it once")
    return await _save(node, row._replace(due=extended(row.jurisdiction, row.opened), extended=int(node.clock.now())))


async def close(node: Node, row: RequestRow, did: dict[str, Any]) -> RequestRow:
    """Answered: the name goes, a signed receipt of what was done stays."""
    told = {
        "record_id": f"{row.id:016x}",
        "kind": row.kind,
        "commitment": row.commitment.hex(),
        "requested_at": row.opened,
        "answered_at": int(node.clock.now()),
        **did,
    }
    told["signature"] = msgspec.to_builtins(signature_of(told, node.keys))
    receipt = msgspec.msgpack.encode(told)
    return await _save(
        node, row._replace(state="answered", closed=int(node.clock.now()), subject=None, receipt=receipt)
    )


async def object_or_pause(node: Node, row: RequestRow) -> dict[str, Any]:
    """Every purpose objected to (Art. 21), or every use paused (Art. 18), for each id of the person."""
    names = [name for name, purpose in PURPOSE_NAMES.items() if purpose]
    for kind, name in subject_of(node, row):
        visitor = msgspec.convert({kind: name}, VisitorOnWire)
        said = ConsentOnWire(visitor, object=names, source="privacy officer")
        if row.kind == "restriction":
            said = ConsentOnWire(visitor, restrict=True, source="privacy officer")
        await decide(node, said, _THE_SHOP, gpc=False)
    return {"objected": names} if row.kind == "objection" else {"restricted": True}


def described(node: Node, row: RequestRow) -> PrivacyRequest:
    """What the log shows."""
    now = int(node.clock.now())
    receipt: dict[str, Any] | None = None
    if row.receipt and row.kind == "erasure":
        facts = facts_of(row.receipt)
        assert facts is not None
        receipt = cast(
            "dict[str, Any]",
            msgspec.to_builtins(erasure_receipt(row.id, row.commitment, facts, node.keys, counted=True)),
        )
    elif row.receipt:
        receipt = msgspec.msgpack.decode(row.receipt, type=dict[str, Any])
    return PrivacyRequest(
        f"{row.id:016x}", row.kind, row.jurisdiction, row.state, row.opened, row.acknowledge_by, row.due,
        bool(row.extended), not row.closed and row.due < now, row.closed, row.commitment.hex(), receipt=receipt,
    )  # fmt: skip


async def _save(node: Node, row: RequestRow) -> RequestRow:
    async def save(transaction: Transaction) -> None:
        node.requests.save(transaction, row)

    await node.intake.writer.exclusive(save)
    return row
