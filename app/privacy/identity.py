"""Whose row a request speaks about: ids become pseudonyms here, and no further.

A visitor who agreed to more than the visit is known by the shop's user id (signed by the shop) or by the beacon's
random id; one who agreed to the visit only, by the visit's id. Where the request says nothing about consent, both are
looked up: the row of a person who once decided answers, else the visit.
"""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from store.records import PersonRow

LEAST_ANON = 22
"""Characters: 128 random bits as base64url; shorter ids could be guessed, and with them a profile."""


class Pseudonyms(Protocol):
    """What of the key ring this needs."""

    def pseudonym(self, kind: str, name: str) -> bytes: ...

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


NOBODY = Persons()


def persons_of(claim: Claim, keys: Pseudonyms) -> Persons:
    """The pseudonyms to look up; both None: nobody anything could be kept about.

    Without the shop's signature (or a server key) a user id is ignored, else any browser could read and poison
    anyone's profile; so is a beacon id that could be guessed.
    """
    visit = keys.pseudonym("session", claim.session) if claim.session else None
    if claim.user and (claim.trusted or keys.check_user(claim.user, claim.user_sig)):
        return Persons(keys.pseudonym("user", claim.user), visit, True)
    if claim.anon and (claim.trusted or len(claim.anon) >= LEAST_ANON):
        return Persons(keys.pseudonym("anon", claim.anon), visit)
    return Persons(None, visit)


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
    return persons.lasting if row is not None and row.consent_at else persons.visit
