"""Whose row a request speaks about: ids become pseudonyms here, and no further.

A visitor who agreed to more than the visit is known by the shop's user id (signed by the shop) or by the beacon's
random id; one who agreed to the visit only, by the visit's id. Where the request says nothing about consent, both are
looked up: the row of a person who once decided answers, else the visit.
"""

from collections.abc import Mapping
from copy import copy
from types import MappingProxyType
from typing import NamedTuple, Protocol

from store.records import PersonRow

LEAST_ANON = 22
"""Characters: 128 random bits as base64url; shorter ids could be guessed, and with them a profile."""


class Pseudonyms(Protocol):
    """What of the key ring this needs."""

    def pseudonym(self, kind: str, name: str) -> bytes: ...

    def pseudonym_before(self, kind: str, name: str) -> bytes | None: ...

    def check_user(self, user: str, signature: str) -> bool: ...


class Claim(NamedTuple):
    """Who a request says it comes from."""

    anon: str = ""
    user: str = ""
    user_sig: str = ""
    session: str = ""
    trusted: bool = False
    """It came with a server key, so the shop itself says so."""


class Persons(NamedTuple):
    """Pseudonyms under which the visitor may have a row."""

    lasting: bytes | None = None
    """By user or beacon id: outlives the visit."""
    visit: bytes | None = None
    """By session id."""
    signed_in: bool = False
    guest: bytes | None = None
    """The beacon id that came with a signed-in user: whoever was known by it before may join the user's profile."""
    before: Mapping[bytes, bytes] = MappingProxyType({})
    """Pseudonym -> that of the previous epoch, under which the row may still lie."""


NOBODY = Persons()


def persons_of(claim: Claim, keys: Pseudonyms) -> Persons:
    """The pseudonyms to look up; both None: nobody anything could be kept about.

    Without the shop's signature (or a server key) a user id is ignored, else any browser could read and poison
    anyone's profile; so is a beacon id that could be guessed.
    """
    before: dict[bytes, bytes] = {}

    def pseudonym(kind: str, name: str) -> bytes:
        now, earlier = keys.pseudonym(kind, name), keys.pseudonym_before(kind, name)
        if earlier is not None:
            before[now] = earlier
        return now

    visit = pseudonym("session", claim.session) if claim.session else None
    anon = pseudonym("anon", claim.anon) if claim.anon and (claim.trusted or len(claim.anon) >= LEAST_ANON) else None
    if claim.user and (claim.trusted or keys.check_user(claim.user, claim.user_sig)):
        return Persons(pseudonym("user", claim.user), visit, True, anon, before)
    return Persons(anon, visit, before=before)


def proved_ids(claim: Claim, keys: Pseudonyms) -> list[tuple[str, str]]:
    """(kind, name) of every id that the claim proves to be its own: too long to guess, signed by the shop, or said by
    the shop itself. Empty: nobody whose data could be shown, changed or deleted."""
    found: list[tuple[str, str]] = []
    if claim.user and (claim.trusted or keys.check_user(claim.user, claim.user_sig)):
        found.append(("user", claim.user))
    for kind, name in (("anon", claim.anon), ("session", claim.session)):
        if name and (claim.trusted or len(name) >= LEAST_ANON):
            found.append((kind, name))
    return found


def whose(persons: Persons, state: str, rows: Mapping[bytes, PersonRow]) -> bytes | None:
    """Of the pseudonyms the one that speaks; `rows` are those found in the database, `state` the consent signal's.

    Consent to the visit only never touches the lasting row. A request that says nothing about consent speaks for the
    person only where that person once decided.
    """
    if state == "session":
        return persons.visit
    if state:
        return persons.lasting or persons.visit
    row = rows.get(persons.lasting) if persons.lasting else None
    return persons.lasting if row is not None and row.decided else persons.visit


def bound_by(row: PersonRow | None, lasting: PersonRow | None) -> PersonRow | None:
    """The row that speaks, with what the person objected to under the lasting id: that holds for visits as well."""
    if lasting is None or lasting is row or not (lasting.objected or lasting.restricted):
        return row
    bound = PersonRow(0) if row is None else copy(row)
    bound.objected |= lasting.objected
    bound.restricted |= lasting.restricted
    return bound
