"""The receipt of an erasure: what was done, what was searched, what is left; signed, so that anyone can check it.

The person's receipt counts nothing, so that it says the same about somebody who was never known; the privacy officer's
has the counts per store.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

import msgspec

from app.privacy.receipts import Signature, signature_of
from store.keys import KeyRing

State = Literal["pending", "erased", "verified"]


class Search(msgspec.Struct, frozen=True):
    """What was read to the last byte, looking for the person."""

    files: int
    bytes: int
    needles: int
    """Ids and numbers in every spelling and under every live key."""
    found: int


class ErasureFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is kept of an erasure: nothing of whom it was about."""

    requested: int
    erased: int = 0
    verified: int = 0
    remembered_until: int = 0
    mode: str = ""
    """How the server learns across people."""
    generations: list[str] = []
    """What had been learned at the time of the erasure."""
    counts: dict[str, int] = {}
    search: Search | None = None


class ErasureReceipt(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a person can keep as proof."""

    record_id: str
    commitment: str
    """SHA-256 over the answer's `opening` and the ids: only who holds both can show that this was about them."""
    state: State
    """`pending`: begun, a file is still held open. `erased`: nothing can be read any more. `verified`: no byte left."""
    requested_at: str
    erased_at: str
    verified_at: str
    done: list[str]
    left: list[str]
    learned: str
    generations: list[str]
    search: Search | None = None
    counts: dict[str, int] | None = None
    """For the privacy officer alone."""
    signature: Signature | None = None


DONE = [
    "late and repeated events are refused",
    "pseudonyms, profile, visit, consent and events deleted",
    "the person's key destroyed: what it encrypted cannot be read, in backups neither",
    "vault entries deleted",
    "plugins told",
    "write-ahead logs emptied",
]
_LEARNED = {
    "off": "Nothing is learned across people: no model holds anything of this person.",
    "threshold": "The generations named were computed from bounded contributions of many people; nothing that few are"
    " behind is in them, and they hold no id of anybody. None to come holds this person's events.",
    "exact": "The generations named were computed from everybody's events without differential privacy. They hold no id"
    " of anybody; each is deleted when newer ones replace it, and none to come holds this person's events.",
}


def facts_of(body: bytes | None) -> ErasureFacts | None:
    """The facts as they are stored."""
    return msgspec.msgpack.decode(body, type=ErasureFacts) if body else None


def state_of(facts: ErasureFacts) -> State:
    return "verified" if facts.verified else "erased" if facts.erased else "pending"


def erasure_receipt(
    number: int, commitment: bytes, facts: ErasureFacts, keys: KeyRing, *, counted: bool = False
) -> ErasureReceipt:
    """The signed receipt; `counted` for the privacy officer's."""
    until = _time(facts.remembered_until)[:10]
    receipt = ErasureReceipt(
        record_id=f"{number:016x}",
        commitment=commitment.hex(),
        state=state_of(facts),
        requested_at=_time(facts.requested),
        erased_at=_time(facts.erased),
        verified_at=_time(facts.verified),
        done=DONE if facts.erased else [],
        left=[
            f"a keyed hash that refuses late events, until {until}, under a key of its own",
            "this receipt's commitment in the log of requests",
            "events of an earlier pseudonym epoch, if any, under a number that nothing leads to, until they expire",
        ],
        learned=_LEARNED.get(facts.mode, "Learned under differential privacy."),
        generations=facts.generations,
        search=facts.search,
        counts=facts.counts if counted else None,
    )
    return msgspec.structs.replace(receipt, signature=signature_of(msgspec.to_builtins(receipt), keys))


def _time(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat() if at else ""
