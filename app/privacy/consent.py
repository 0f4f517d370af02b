"""A person's decision told on its own: per purpose yes or no, objections, a pause; in force with the next request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta

from app.ingest.incoming import Incoming
from app.privacy.choice import Choice, by_name, read_purposes
from app.privacy.gatekeeper import ConsentSignal, Reason
from app.privacy.identity import Claim, persons_of, proved_ids
from app.privacy.receipts import Receipt, receipt_of
from app.privacy.signals import SignalsOnWire, permitted
from app.privacy.visitor import VisitorOnWire
from app.problem import FieldError, Problem
from store.api_keys import ApiKey
from store.records import PURPOSE_NAMES

if TYPE_CHECKING:
    from app.node import Node

Short = Annotated[str, Meta(max_length=128)]
STATES = {"granted": "granted", "session": "session", "denied": "denied", "anonymous": "denied"}
_NOBODYS_KEY = ApiKey(0, "public")
_NAMES = ", ".join(PURPOSE_NAMES)


class ConsentOnWire(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """POST /v1/consent. What is not named stays as it is."""

    visitor: VisitorOnWire
    purposes: Annotated[dict[Short, bool], Meta(max_length=32)] = {}
    """Purpose -> yes or no."""
    state: Literal["", "granted", "session", "denied", "anonymous"] = ""
    """Where to begin: the whole broad layer, the visit only, nothing; empty: from what holds now."""
    object: Annotated[list[Short], Meta(max_length=32)] = []
    """Purposes the person objects to (GDPR Art. 21); only naming one with yes lifts that."""
    restrict: bool | None = None
    """Pause every use and keep what there is (GDPR Art. 18); false ends it."""
    version: Annotated[str, Meta(max_length=64)] = ""
    """Of the policy text that was shown."""
    region: Annotated[str, Meta(max_length=64)] = ""
    source: Annotated[str, Meta(max_length=32, pattern=r"^[\w .:/-]*$")] = "visitor"
    """How it was told, in the shop's words: banner, account page, support."""
    language: Annotated[str, Meta(max_length=35)] = ""
    signals: SignalsOnWire | None = None
    """Consent strings that came along; what they do not permit is not granted."""
    key: Short = ""


class ConsentAnswer(msgspec.Struct, frozen=True):
    """What holds from now on."""

    purposes: dict[str, bool]
    objected: list[str]
    restricted: bool
    not_granted: list[str]
    """Asked for, but off in this region, refused by a consent string, or objected to in the same breath."""
    emptied: bool
    """What was withdrawn from the vault is deleted already; false: it is being deleted."""
    receipt: Receipt


@dataclass(frozen=True)
class _Asked:
    choice: Choice
    signal: ConsentSignal
    wanted: int


def claim_of(visitor: VisitorOnWire, key: ApiKey | None) -> Claim:
    """Who a request says it comes from."""
    trusted = key is not None and key.kind == "server"
    return Claim(visitor.anon or "", visitor.user or "", visitor.user_sig or "", visitor.session or "", trusted)


async def decide(node: Node, told: ConsentOnWire, key: ApiKey | None, *, gpc: bool) -> ConsentAnswer:
    """Take a decision over: on return it is in force, in the ledger, and receipted.

    Raises Problem 400 for what cannot be meant, 401 without proof of being the person; QueueFull, WriterClosed or a
    StoreFault where it could not be kept (then nothing of it was).
    """
    claim = claim_of(told.visitor, key)
    asked = _asked(node, told, key, gpc)
    ids = proved_ids(claim, node.keys)
    if not ids:
        raise Problem(401, "Who decides?", PROOF)
    if ("session", claim.session) not in ids:
        claim = claim._replace(session="")  # one that could be guessed decides nothing
    now_ms = node.clock.now_ms()
    incoming = Incoming(
        key=key or _NOBODYS_KEY,
        signal=asked.signal,
        now_ms=now_ms,
        skew_ms=0,
        persons=persons_of(claim, node.keys),
        session=node.keys.session_hash(claim.session) if claim.session else 0,
        choice=asked.choice,
        decided_ms=now_ms,
        tombstones=tuple(number for kind, name in ids for number in node.keys.suppression_keys(kind, name)),
    )
    recorded = await node.intake.decide(incoming)
    assert recorded.entry is not None
    assert recorded.decided is not None
    decided = recorded.decided
    emptied = not recorded.withdrew or await node.withdrawals.until_empty()
    return ConsentAnswer(
        purposes=by_name(0 if decided.restricted else decided.purposes),
        objected=[name for name, said in by_name(decided.objected).items() if said],
        restricted=decided.restricted,
        not_granted=[name for name, said in by_name(asked.wanted & ~decided.purposes).items() if said],
        emptied=emptied,
        receipt=receipt_of(recorded.entry, decided, node.config, node.keys),
    )


PROOF = (
    "send the visitor's own `anon` or `session` id (at least 128 random bits), or `user` with the shop's `user_sig`,"
    " or a server key"
)


def _asked(node: Node, told: ConsentOnWire, key: ApiKey | None, gpc: bool) -> _Asked:
    yes, no, unknown = read_purposes(told.purposes)
    object_to, _, unknown_objections = read_purposes(dict.fromkeys(told.object, True))
    errors = [*_unknown("/purposes", unknown), *_unknown("/object", unknown_objections)]
    errors += [
        FieldError("/object", f"{name} is granted and objected to in one request")
        for name, said in by_name(yes & object_to).items()
        if said
    ]
    if not (told.purposes or told.state or told.object or told.restrict is not None):
        errors.append(FieldError("", "decides nothing: name purposes, a state, objections, or restrict"))
    if errors:
        raise Problem(400, "Not a decision", errors[0].detail, errors=errors)
    most, also_gpc = permitted(node.plugins, told.signals)
    state = STATES.get(told.state, "")
    signal = ConsentSignal(
        version=told.version or node.config.consent.version, region=told.region, gpc=gpc or also_gpc,
        source="server" if key is not None and key.kind == "server" and told.source == "visitor" else told.source,
        told=most,
    )  # fmt: skip
    granting = bool(yes) or state in ("granted", "session")
    place = node.gatekeeper.allow(ConsentSignal(region=told.region), None, node.clock.now())
    if granting and place.reason is Reason.UNKNOWN_REGION:
        detail = f"{told.region!r} is in no jurisdiction of [consent], so nothing can be granted there"
        raise Problem(400, "Unknown region", detail, errors=[FieldError("/region", detail)])
    return _Asked(Choice(state, yes, no, object_to, told.restrict, told.language), signal, yes)


def _unknown(pointer: str, names: Sequence[str]) -> list[FieldError]:
    return [FieldError(f"{pointer}/{name}", f"{name!r} is no purpose; there are {_NAMES}") for name in names]
