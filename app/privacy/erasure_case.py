"""One erasure under way: whom it is about, what to look for afterwards, and how it is kept over a crash.

Everything here that names the person is sealed wherever it is stored, and goes with the last step.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from app.privacy.byte_scan import Needle, Scanned, byte_needles, number_needles, row_key, text_needles
from app.privacy.erasure_receipt import ErasureFacts
from store.database import Transaction
from store.epochs import Domain
from store.erasure import SagaRow, Sagas
from store.generation import generations, refused
from store.keys import KeyRing
from store.person import key_of
from store.requests import RequestRow, Requests

if TYPE_CHECKING:
    from app.config import Config

Ids = Sequence[tuple[str, str]]
"""(kind, id) of ids proved to be the person's own."""

KIND = "erasure"
_LONG_ENOUGH = 12
"""Characters; shorter ids occur by chance, and are looked for as pseudonyms only."""


class Case(msgspec.Struct):
    """One erasure under way; sealed wherever it is stored."""

    ids: list[tuple[str, str]]
    commitment: bytes
    facts: ErasureFacts
    people: list[int] = []
    former: list[int] = []
    """Numbers of an earlier epoch under which the vault still held something. Nothing leads to the events that bear
    them, so they stay until they expire."""
    keys: list[int] = []
    """Keys of the people map that led to them."""
    ciphertexts: list[bytes] = []

    @property
    def numbers(self) -> list[int]:
        return [*self.people, *self.former]


def new_case(ids: Ids, opening: bytes, config: Config, folder: Path, now: int) -> Case:
    """An erasure that is asked for and not begun."""
    facts = ErasureFacts(
        requested=now,
        remembered_until=int(now + config.pseudonyms.suppression_days * 86_400),
        mode=config.privacy.learned,
        generations=[*generations(folder / "generations"), *refused(folder / "generations")],
    )
    return Case([(kind, name) for kind, name in ids], commitment_of(opening, ids), facts)


def new_number() -> int:
    """Names a request: random, so that it can be shown to nobody but who was told."""
    return secrets.randbits(62) | 1 << 61


def save_case(
    transaction: Transaction, sagas: Sagas, requests: Requests, keys: KeyRing, *, number: int, step: str, case: Case,
    jurisdiction: str,
) -> None:  # fmt: skip
    """Queue how far an erasure has come, and what its request shows of it."""
    state = keys.seal_note(b"erasure", msgspec.msgpack.encode(case))
    sagas.save(transaction, SagaRow(number, KIND, step, case.facts.requested, state))
    save_facts(transaction, requests, number, case, jurisdiction)


def save_facts(transaction: Transaction, requests: Requests, number: int, case: Case, jurisdiction: str) -> None:
    """Queue what the request of an erasure shows: nothing of whom it is about."""
    asked, done = case.facts.requested, case.facts.erased
    row = requests.get(number) or RequestRow(
        number, KIND, jurisdiction, "", asked, 0, asked, 0, 0, case.commitment, None, None
    )
    facts = msgspec.msgpack.encode(case.facts)
    state = "answered" if done else "executing"
    requests.save(transaction, row._replace(state=state, closed=done, subject=None, receipt=facts))


def needles_of(case: Case, keys: KeyRing, back_again: bool = False) -> list[Needle]:
    """Everything that could lead to the person, in every spelling, under every live key but the one that remembers
    who was erased. `back_again`: whoever decided anew may be found by pseudonym, but not as who it was before."""
    needles: list[Needle] = []
    for kind, name in case.ids:
        if len(name) >= _LONG_ENOUGH:
            needles += text_needles(f"{kind} id", name)
        for domain in Domain:
            if domain is not Domain.SUPPRESSION and not back_again:
                for pseudonym in keys.pseudonyms(kind, name, domain):
                    needles += byte_needles(f"{kind} pseudonym ({domain.name.lower()})", pseudonym)
                    if domain is Domain.PROFILE:
                        needles.append(Needle(f"{kind} pseudonym's key", row_key(key_of(pseudonym))))
    for person in case.people:
        needles += number_needles("number", person)
    for body in case.ciphertexts:
        needles += byte_needles("ciphertext", body)
    return needles


def describe(found: Scanned) -> str:
    """What was found where, without saying whose."""
    return "; ".join(f"{sighting.needle} in {sighting.file}" for sighting in found.sightings[:8])


def commitment_of(opening: bytes, ids: Ids) -> bytes:
    """SHA-256 over the opening and the ids, sorted: says nothing without both."""
    told = b"\0".join(f"{kind}|{name}".encode() for kind, name in sorted(ids))
    return hashlib.sha256(opening + told).digest()


def seal_subject(keys: KeyRing, ids: Ids) -> bytes:
    """Whom a request is about, until it is answered."""
    return keys.seal_note(b"subject", msgspec.msgpack.encode(list(ids)))


def open_subject(keys: KeyRing, row: RequestRow) -> list[tuple[str, str]]:
    """Whom an open request is about."""
    if row.subject is None:
        return []
    return msgspec.msgpack.decode(keys.open_note(b"subject", row.subject), type=list[tuple[str, str]])
